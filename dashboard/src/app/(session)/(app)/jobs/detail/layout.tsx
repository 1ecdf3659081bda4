import type { Metadata } from "next";
import type { ReactNode } from "react";

export const metadata: Metadata = { title: "Job" };

export default function JobLayout({ children }: { children: ReactNode }) {
  return children;
}
