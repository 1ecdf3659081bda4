import type { ReactNode } from "react";
import { UNKNOWN } from "@/lib/format";

/** Names with their values. Those of which nothing is known (undefined) are left out. */
export function Facts({ facts }: { facts: readonly (readonly [name: string, value: ReactNode | undefined])[] }) {
  const known = facts.filter(([, value]) => value !== undefined);
  return (
    <dl className="grid grid-cols-2 gap-x-6 gap-y-3 lg:grid-cols-3">
      {known.map(([name, value]) => (
        <div key={name} className="min-w-0">
          <dt className="text-xs text-muted-foreground">{name}</dt>
          <dd className="mt-0.5 text-sm wrap-anywhere">{value ?? UNKNOWN}</dd>
        </div>
      ))}
    </dl>
  );
}
