"use client";

import { LogOut, User } from "lucide-react";
import { DropdownMenu } from "radix-ui";
import { useEffect, useRef } from "react";
import { useSession } from "@/auth/session";
import { useSignOut } from "@/auth/sign-out";
import { Button } from "@/components/ui/button";

let choosing = false; // all is made anew for another tenant, this too: whoever chose it is still here

/** Whom one acts for, where there is a choice. */
export function TenantChoice() {
  const { memberships, tenant, choose } = useSession();
  const select = useRef<HTMLSelectElement>(null);
  useEffect(() => {
    if (choosing) select.current?.focus();
    choosing = false;
  }, []);
  if (!memberships || !tenant) return null;
  if (memberships.length === 1) return <span className="truncate text-sm font-medium">{tenant.name}</span>;
  return (
    <select
      ref={select}
      aria-label="Tenant"
      className="h-9 max-w-48 truncate rounded-md border bg-card px-2 text-sm font-medium"
      value={tenant.id}
      onChange={(event) => {
        choosing = true;
        choose(event.target.value);
      }}
    >
      {memberships.map((one) => (
        <option key={one.id} value={one.id}>
          {one.name}
        </option>
      ))}
    </select>
  );
}

export function Account() {
  const { session, tenant } = useSession();
  const signOut = useSignOut();
  return (
    <DropdownMenu.Root>
      <DropdownMenu.Trigger asChild>
        <Button look="quiet" size="icon" aria-label="Account">
          <User aria-hidden />
        </Button>
      </DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content align="end" sideOffset={6} className="z-50 min-w-56 rounded-md border bg-card p-1 shadow-lg">
          <DropdownMenu.Label className="px-2 py-1.5 text-sm">
            <span className="block truncate font-medium">{session?.user.email}</span>
            {tenant && <span className="text-muted-foreground">{tenant.role}</span>}
          </DropdownMenu.Label>
          <DropdownMenu.Separator className="my-1 h-px bg-border" />
          <DropdownMenu.Item
            className="flex items-center gap-2 rounded px-2 py-1.5 text-sm data-highlighted:bg-muted"
            onSelect={signOut}
          >
            <LogOut className="size-4" aria-hidden />
            Sign out
          </DropdownMenu.Item>
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}
