import type { ReactNode } from "react";
import { Frame } from "@/components/shell/frame";

export default function AppLayout({ children }: { children: ReactNode }) {
  return <Frame>{children}</Frame>;
}
