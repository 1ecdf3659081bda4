import type { Metadata } from "next";
import type { ReactNode } from "react";

export const metadata: Metadata = { title: "Webhooks" };

export default function WebhooksLayout({ children }: { children: ReactNode }) {
  return children;
}
