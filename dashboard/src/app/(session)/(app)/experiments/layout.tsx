import type { Metadata } from "next";
import type { ReactNode } from "react";

export const metadata: Metadata = { title: "Experiments" };

export default function ExperimentsLayout({ children }: { children: ReactNode }) {
  return children;
}
