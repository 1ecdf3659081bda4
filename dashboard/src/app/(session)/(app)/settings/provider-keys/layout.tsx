import type { Metadata } from "next";
import type { ReactNode } from "react";

export const metadata: Metadata = { title: "Provider keys" };

export default function ProviderKeysLayout({ children }: { children: ReactNode }) {
  return children;
}
