import type { Metadata } from "next";
import type { ReactNode } from "react";

export const metadata: Metadata = { title: "Experiment" };

export default function ExperimentLayout({ children }: { children: ReactNode }) {
  return children;
}
