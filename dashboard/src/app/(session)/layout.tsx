import type { ReactNode } from "react";
import { SessionProvider } from "@/auth/session";

/** One session for all pages that know of one: the landing page does without, and without its weight. */
export default function SessionLayout({ children }: { children: ReactNode }) {
  return <SessionProvider>{children}</SessionProvider>;
}
