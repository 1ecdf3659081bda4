import type { components } from "@/api/schema";
import { count, money } from "@/lib/format";

export type Quota = components["schemas"]["QuotaView"];

/** An amount in a quota's unit. */
export function amount(value: string, unit: Quota["unit"]): string {
  return unit === "cents" ? money(value) : count(Number(value));
}

const UNITS: Record<Quota["unit"], string> = { requests: "requests", tokens: "tokens", cents: "" };

/** "1,000 tokens a day". */
export function limitWords({ limit, unit, period }: Pick<Quota, "limit" | "unit" | "period">): string {
  return [amount(limit, unit), UNITS[unit], `a ${period}`].filter(Boolean).join(" ");
}

/** A scope's kind, and whose it is: an API key's id, or a tag. */
export function scopeParts(scope: string): { kind: "tenant" | "key" | "tag"; of: string } {
  const [kind, ...rest] = scope.split(":");
  return kind === "key" || kind === "tag" ? { kind, of: rest.join(":") } : { kind: "tenant", of: "" };
}

/** A number as typed in, without its thousands' commas. Null where it is none, or where a comma may be meant as a point. */
export function numberOf(typed: string): string | null {
  const found = /^(\d+|\d{1,3}(?:,\d{3})+)(\.\d+)?$/.exec(typed.trim());
  return found && `${found[1]?.replaceAll(",", "")}${found[2] ?? ""}`;
}

/** What `centsOf` takes, for a field's own check. */
export const AMOUNT = String.raw`\$?\s*(\d{1,13}|\d{1,3}(,\d{3}){1,3})(\.\d{1,8})?`;

/** US dollars as typed in, as decimal cents without any loss. Null where it is no amount. */
export function centsOf(dollars: string): string | null {
  const found = /^(\d{1,13})(?:\.(\d{1,8}))?$/.exec(numberOf(dollars.trim().replace(/^\$/, "")) ?? "");
  if (!found) return null;
  const fraction = (found[2] ?? "").padEnd(2, "0");
  const whole = `${found[1]}${fraction.slice(0, 2)}`.replace(/^0+(?=\d)/, "");
  const rest = fraction.slice(2).replace(/0+$/, "");
  return rest ? `${whole}.${rest}` : whole;
}

/** The other way round. */
export function dollarsOf(cents: string): string {
  const [whole = "0", fraction = ""] = cents.split(".");
  const digits = whole.padStart(3, "0");
  const rest = `${digits.slice(-2)}${fraction}`.replace(/0+$/, "");
  return rest ? `${digits.slice(0, -2)}.${rest.padEnd(2, "0")}` : digits.slice(0, -2);
}
