import type { components } from "@/api/schema";

export type Tenant = components["schemas"]["TenantView"];
export type Change = Partial<components["schemas"]["TenantChange"]>;

/** What of a change differs from what was. */
export function changed(before: Tenant, wanted: Change): Change {
  const known: Record<string, unknown> = { ...before };
  return Object.fromEntries(Object.entries(wanted).filter(([name, value]) => !same(known[name], value)));
}

/** Those of its fields that are named. */
export const only = (tenant: Tenant, names: readonly string[]): Partial<Tenant> =>
  Object.fromEntries(Object.entries(tenant).filter(([name]) => names.includes(name)));

/** A decimal may be written in more ways than one: 50 and 50.00. */
function same(before: unknown, after: unknown): boolean {
  if (before === after) return true;
  if (typeof before !== "string" || typeof after !== "string" || before === "" || after === "") return false;
  return Number(before) === Number(after);
}
