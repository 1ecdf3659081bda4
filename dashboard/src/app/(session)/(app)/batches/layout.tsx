import type { Metadata } from "next";
import type { ReactNode } from "react";

export const metadata: Metadata = { title: "Batches" };

export default function BatchesLayout({ children }: { children: ReactNode }) {
  return children;
}
