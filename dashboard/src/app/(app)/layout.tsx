import type { ReactNode } from "react";
import { SessionProvider } from "@/auth/session";
import { Frame } from "@/components/shell/frame";

export default function AppLayout({ children }: { children: ReactNode }) {
  return (
    <SessionProvider>
      <Frame>{children}</Frame>
    </SessionProvider>
  );
}
