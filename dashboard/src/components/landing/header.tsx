"use client";

import Link from "next/link";
import { useSignUps } from "@/auth/sign-ups";
import { ThemeSwitch } from "@/components/shell/theme";
import { buttonStyle } from "@/components/ui/button";
import { useConfig } from "@/lib/use-config";

export function Header() {
  const config = useConfig();
  return (
    <header className="mx-auto flex max-w-6xl flex-wrap items-center gap-x-2 gap-y-1 px-4 py-3 sm:px-6">
      <span className="mr-auto font-semibold">AI Cost Optimizer</span>
      <nav aria-label="Site" className="flex items-center gap-1">
        <a href={`${config?.apiUrl ?? ""}/docs`} className={buttonStyle({ look: "quiet", className: "max-sm:hidden" })}>
          API reference
        </a>
        <ThemeSwitch />
        <Link href="/overview/" prefetch={false} className={buttonStyle()}>
          Dashboard
        </Link>
      </nav>
    </header>
  );
}

/** What a visitor can do next here. */
export function Ways() {
  const signUps = useSignUps(useConfig());
  return (
    <div className="flex flex-wrap gap-3">
      {signUps === "open" ? (
        <Link href="/sign-up/" prefetch={false} className={buttonStyle({ look: "primary" })}>
          Create an account
        </Link>
      ) : (
        <Link href="/start/" prefetch={false} className={buttonStyle({ look: "primary" })}>
          Get started
        </Link>
      )}
      <a href="#calculator" className={buttonStyle()}>
        What would it save me?
      </a>
    </div>
  );
}
