import { money } from "@/lib/format";

const ROUNDED_FROM = 100; // US dollars, from which cents say nothing

/** Two amounts, in cents, as one figure. */
export const range = (low: number, high: number): string => joined(money(low), money(high));

/** Of an estimate, in US dollars, whichever is the lower. */
export function roughly(one: number, other: number): string {
  const [low, high] = one <= other ? [one, other] : [other, one];
  return joined(rough(low), rough(high));
}

const whole = new Intl.NumberFormat("en-US", { style: "currency", currency: "USD", maximumFractionDigits: 0 });

function rough(amount: number): string {
  const size = Math.abs(amount);
  return size >= ROUNDED_FROM || size < 0.005
    ? whole.format(Math.abs(amount) < 0.005 ? 0 : amount)
    : money(amount * 100);
}

const joined = (from: string, to: string): string => (from === to ? from : `${from} to ${to}`);
