import type { Metadata } from "next";
import type { ReactNode } from "react";

export const metadata: Metadata = { title: "Why served, or not" };

export default function ExplainLayout({ children }: { children: ReactNode }) {
  return children;
}
