"use client";

import { ThemeProvider, useTheme } from "next-themes";
import type { ReactNode } from "react";
import { Toaster, type ToasterProps } from "sonner";

export function Providers({ children }: { children: ReactNode }) {
  return (
    <ThemeProvider attribute="class" defaultTheme="system" disableTransitionOnChange>
      {children}
      <Messages />
    </ThemeProvider>
  );
}

/** In the page's own colours: what was chosen there may differ from what the system says. */
function Messages() {
  const { theme } = useTheme();
  return <Toaster theme={theme as ToasterProps["theme"]} position="bottom-right" closeButton />;
}
