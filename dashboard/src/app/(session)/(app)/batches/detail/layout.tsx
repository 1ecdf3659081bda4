import type { Metadata } from "next";
import type { ReactNode } from "react";

export const metadata: Metadata = { title: "Batch" };

export default function BatchLayout({ children }: { children: ReactNode }) {
  return children;
}
