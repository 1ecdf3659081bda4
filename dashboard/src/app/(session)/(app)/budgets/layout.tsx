import type { Metadata } from "next";
import type { ReactNode } from "react";

export const metadata: Metadata = { title: "Budgets" };

export default function BudgetsLayout({ children }: { children: ReactNode }) {
  return children;
}
