import type { Metadata } from "next";
import type { ReactNode } from "react";

export const metadata: Metadata = { title: "Retention" };

export default function RetentionLayout({ children }: { children: ReactNode }) {
  return children;
}
