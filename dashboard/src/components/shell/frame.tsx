"use client";

import { useRouter } from "next/navigation";
import { type ReactNode, useEffect } from "react";
import { useSession } from "@/auth/session";
import { Account, TenantChoice } from "@/components/shell/account";
import { Menu } from "@/components/shell/menu";
import { Navigation } from "@/components/shell/navigation";
import { ThemeSwitch } from "@/components/shell/theme";
import { Link } from "@/components/ui/link";
import { Empty, Loading, Trouble } from "@/components/ui/states";
import { LiveMark } from "@/live/mark";
import { LiveProvider } from "@/live/live";

/** Around every page of a signed-in person. Who is not is sent to the sign-in and back. */
export function Frame({ children }: { children: ReactNode }) {
  const { status, trouble, memberships, tenant } = useSession();
  const router = useRouter();
  useEffect(() => {
    if (status !== "signed-out") return;
    const here = window.location.pathname + window.location.search;
    router.replace(`/sign-in/?next=${encodeURIComponent(here)}`);
  }, [status, router]);

  if (status === "unavailable") return <Trouble error={new Error(trouble ?? "")} retry={() => window.location.reload()} />;
  if (status !== "signed-in" || !memberships) return <Loading />;
  return (
    <LiveProvider>
      <a href="#content" className="sr-only focus:not-sr-only focus:fixed focus:z-50 focus:m-2 focus:rounded focus:bg-card focus:p-2">
        Skip to the content
      </a>
      <div className="lg:grid lg:grid-cols-[14rem_1fr]">
        <aside className="sticky top-0 hidden h-dvh overflow-y-auto border-r bg-card lg:block">
          <Link href="/overview/" className="block px-5 pt-4 font-semibold">
            AI Cost Optimizer
          </Link>
          <Navigation />
        </aside>
        <div className="min-w-0">
          <header className="sticky top-0 z-30 flex h-14 items-center gap-2 border-b bg-background/95 px-3 backdrop-blur sm:px-6">
            <Menu />
            <TenantChoice />
            <div className="ml-auto flex items-center gap-1">
              <LiveMark />
              <ThemeSwitch />
              <Account />
            </div>
          </header>
          <main id="content" tabIndex={-1} className="mx-auto grid max-w-6xl gap-5 p-3 outline-none sm:p-6">
            {tenant ? children : <NoTenant />}
          </main>
        </div>
      </div>
    </LiveProvider>
  );
}

function NoTenant() {
  return (
    <Empty title="You belong to no tenant yet">
      Ask whoever runs this for an invitation. If you have one,{" "}
      <Link href="/invitation/" className="text-primary underline underline-offset-4 hover:no-underline">
        accept it
      </Link>
      .
    </Empty>
  );
}

export function PageTitle({ title, children, actions }: { title: string; children?: ReactNode; actions?: ReactNode }) {
  return (
    <div className="flex flex-wrap items-start justify-between gap-3">
      <div>
        <h1 className="text-xl font-semibold tracking-tight">{title}</h1>
        {children && <p className="mt-1 max-w-prose text-sm text-muted-foreground">{children}</p>}
      </div>
      {actions && <div className="flex flex-wrap gap-2">{actions}</div>}
    </div>
  );
}
