import type { Metadata } from "next";
import type { ReactNode } from "react";

export const metadata: Metadata = { title: "Cache" };

export default function CacheLayout({ children }: { children: ReactNode }) {
  return children;
}
