import type { Metadata } from "next";
import type { ReactNode } from "react";
import { SessionProvider } from "@/auth/session";

export const metadata: Metadata = { title: "Sign in" };

export default function SignInLayout({ children }: { children: ReactNode }) {
  return <SessionProvider>{children}</SessionProvider>;
}
