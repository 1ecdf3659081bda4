import type { Metadata } from "next";
import type { ReactNode } from "react";

export const metadata: Metadata = { title: "Savings" };

export default function SavingsLayout({ children }: { children: ReactNode }) {
  return children;
}
