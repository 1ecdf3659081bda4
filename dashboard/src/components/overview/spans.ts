/** The periods that the overview offers. */

export type Span = "hour" | "day" | "month";

const HOUR_MS = 3_600_000;

export const SPANS: Record<Span, { name: string; grain: "minute" | "day" }> = {
  hour: { name: "Last hour", grain: "minute" },
  day: { name: "Last 24 hours", grain: "minute" },
  month: { name: "Last 30 days", grain: "day" },
};

/** A period as the API takes it. A day of minutes and a month of days are what it gives without a begin: with one, the
 * begun minute would be one more than it gives at once.
 */
export function asked(span: Span, now: number = Date.now()): { grain: "minute" | "day"; since?: string } {
  const { grain } = SPANS[span];
  return span === "hour" ? { grain, since: new Date(now - HOUR_MS).toISOString() } : { grain };
}
