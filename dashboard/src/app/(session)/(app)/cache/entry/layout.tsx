import type { Metadata } from "next";
import type { ReactNode } from "react";

export const metadata: Metadata = { title: "Kept answer" };

export default function CacheEntryLayout({ children }: { children: ReactNode }) {
  return children;
}
