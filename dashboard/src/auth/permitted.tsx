"use client";

import type { ReactNode } from "react";
import { type Membership, useSession } from "@/auth/session";
import { Empty } from "@/components/ui/states";

export type Permission = Membership["permissions"][number];

export function usePermitted(permission: Permission): boolean {
  return useSession().tenant?.permissions.includes(permission) ?? false;
}

/** For what is of no use without a permission: who lacks it is told whom to ask. */
export function Permitted({ permission, to, children }: { permission: Permission; to: string; children: ReactNode }) {
  const { tenant } = useSession();
  if (usePermitted(permission)) return <>{children}</>;
  return (
    <Empty title={`As ${tenant?.role ?? "a guest"} you cannot ${to}`}>
      It takes the permission <code>{permission}</code>. Ask an owner of {tenant?.name ?? "the tenant"}.
    </Empty>
  );
}
