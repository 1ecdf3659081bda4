import type { components } from "@/api/schema";
import { count, money, percent } from "@/lib/format";

/** What figures of savings mean, in sentences. Each says whether it is measured or estimated, and of how much. */

export type Savings = components["schemas"]["SavingsView"];
export type Holdout = Savings["holdout"];
export type PriceList = Savings["price_list"];

interface Estimate {
  value: number | string;
  low: number | string;
  high: number | string;
}

/** Jobs of known cost that each arm needs before their difference is told; the service's rule, as docs/savings.md has it. */
export const ENOUGH = 30;

/** The jobs of an arm that count towards that. */
export const counted = ({ jobs: all, unpriced }: Holdout["baseline"]): number => all - unpriced;

export const between = (one: Estimate, format: (value: number) => string): string =>
  `${format(Number(one.low))} to ${format(Number(one.high))}`;

const jobs = (n: number): string => `${count(n)} ${n === 1 ? "job" : "jobs"}`;

/** The holdout's result in a sentence. */
export function measured(holdout: Holdout): string {
  const { saved_cents: saved, baseline, routed } = holdout;
  if (holdout.status === "off") return "Nothing is held out, so nothing is measured. The price list below is all there is.";
  if (!saved) return `Not enough yet: ${missing(holdout)}.`;
  const of = `${jobs(routed.jobs)} that were optimised, against ${jobs(baseline.jobs)} that chance kept from it`;
  const how = `This is measured on ${of}.`;
  if (Number(saved.low) > 0) return `Costs were lower by ${money(saved.low)} to ${money(saved.high)}. ${how}`;
  if (Number(saved.high) < 0) return `Costs were higher, by ${money(-Number(saved.high))} to ${money(-Number(saved.low))}. ${how}`;
  return `No saving is shown yet: it may be anything from ${money(saved.low)} to ${money(saved.high)}. ${how}`;
}

function missing({ baseline, routed }: Holdout): string {
  const held = `${count(counted(baseline))} of at least ${ENOUGH} held-out jobs`;
  const done = baseline.unpriced + routed.unpriced > 0 ? "have been answered at a known cost" : "have been answered";
  if (counted(routed) >= ENOUGH) return `${held} ${done}`;
  return `${held} and ${count(counted(routed))} of at least ${ENOUGH} optimised ones ${done}`;
}

/** How much traffic it takes until there is a measurement. Undefined where enough jobs have been held out already. */
export function untilMeasured({ baseline, share }: Holdout): string | undefined {
  if (!share || counted(baseline) >= ENOUGH) return undefined;
  const more = Math.ceil((ENOUGH - counted(baseline)) / share);
  return `With ${percent(share)} of what can be held out kept from it, that takes about ${jobs(more)} more.`;
}

/** Whether answers got better or worse. */
export function quality({ quality_difference: found, baseline, routed }: Holdout): string {
  if (!found) return `Not enough was judged yet: ${count(routed.judged)} optimised and ${count(baseline.judged)} held-out answers, of at least ${ENOUGH} each.`;
  const where = `between ${points(found.low)} and ${points(found.high)} points of 100`;
  if (found.low > 0) return `Better: ${where} above the held-out answers.`;
  if (found.high < 0) return `Worse: the difference is ${where}.`;
  return `No difference is shown: it lies ${where}.`;
}

const POINTS = 100;
const points = (share: number): string => (share * POINTS).toFixed(1);

/** The price list's result in a sentence. */
export function estimated(found: PriceList): string {
  if (found.answers === 0) return "There were no answers in this period.";
  const saved = Number(found.saved_cents);
  const share = found.saved_share === null ? "" : `, ${percent(Math.abs(found.saved_share))} of the list price`;
  const verb = saved < 0 ? "more than" : "less than";
  return `${count(found.answers)} answers cost ${money(Math.abs(saved))} ${verb} the same tokens at the baseline model's list price${share}.`;
}
