/** Numbers as people read them. Money comes as decimal US cents in text; only its display is rounded. */

const dollars = (digits: number) =>
  new Intl.NumberFormat("en-US", { style: "currency", currency: "USD", minimumFractionDigits: digits, maximumFractionDigits: digits });
const tiny = new Intl.NumberFormat("en-US", { style: "currency", currency: "USD", maximumSignificantDigits: 2 });
const CENTS_PER_DOLLAR = 100;
const DUST = 1e-12; // US dollars: no token costs so little, so it is what floats leave of a difference of nothing
const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });
const tenths = new Intl.NumberFormat("en-US", { maximumFractionDigits: 1 });
const share = new Intl.NumberFormat("en-US", { style: "percent", maximumFractionDigits: 1 });

export const UNKNOWN = "–";

/** Small amounts keep the digits that tell them apart: $0.0042, $0.42, $42.00. */
export function money(cents: string | number | null | undefined): string {
  if (cents === null || cents === undefined) return UNKNOWN;
  const amount = Number(cents) / CENTS_PER_DOLLAR;
  const size = Math.abs(amount);
  if (size < DUST) return dollars(2).format(0);
  if (size >= 1) return dollars(2).format(amount);
  if (size < 0.00001) return tiny.format(amount);
  return dollars(size >= 0.1 ? 2 : size >= 0.001 ? 4 : 6).format(amount);
}

export const count = (value: number | null | undefined): string => (value == null ? UNKNOWN : whole.format(value));
export const compact = (value: number | null | undefined): string => (value == null ? UNKNOWN : short.format(value));
export const percent = (value: number | null | undefined): string => (value == null ? UNKNOWN : share.format(value));

export function milliseconds(value: number | null | undefined): string {
  if (value == null) return UNKNOWN;
  return value < 1000 ? `${whole.format(value)} ms` : `${(value / 1000).toFixed(value < 10_000 ? 2 : 1)} s`;
}

const UNITS: readonly (readonly [unit: "day" | "hour" | "minute" | "second", size: number])[] = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
  ["second", 1],
];

/** The largest unit of which there is one. */
const unitOf = (span: number) => UNITS.find(([, size]) => Math.abs(span) >= size) ?? (["second", 1] as const);

const inUnits = (value: number, unit: string, unitDisplay: "short" | "long"): string =>
  new Intl.NumberFormat("en-US", { style: "unit", unit, unitDisplay }).format(value);

/** A span of time, as coarse as it is long: 4 sec, 12 min, 3 hr, 2 days. */
export function seconds(value: number | null | undefined): string {
  if (value == null) return UNKNOWN;
  const [unit, size] = unitOf(value);
  return inUnits(Math.floor(value / size), unit, "short");
}

/** A length of time that is set, in its largest unit that leaves no part: 3600 is 1 hour, 90 is 90 seconds. */
export function duration(seconds: number): string {
  const [unit, size] = UNITS.find(([, each]) => seconds >= each && seconds % each === 0) ?? (["second", 1] as const);
  return inUnits(seconds / size, unit, "long");
}

const SIZES: [unit: string, size: number][] = [
  ["GB", 1e9],
  ["MB", 1e6],
  ["kB", 1e3],
  ["bytes", 1],
];

export function bytes(value: number | null | undefined): string {
  if (value == null) return UNKNOWN;
  const [unit, size] = SIZES.find(([, each]) => value >= each) ?? ["bytes", 1];
  return `${tenths.format(value / size)} ${unit}`;
}

const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

type Time = string | number | Date | null | undefined; // a number is seconds, as OpenAI's objects have them

const dateOf = (time: string | number | Date): Date => new Date(typeof time === "number" ? time * 1000 : time);

export const when = (time: Time): string => (time == null ? UNKNOWN : moment.format(dateOf(time)));
export const onDay = (time: Time): string => (time == null ? UNKNOWN : day.format(dateOf(time)));

export function ago(time: Time, now: number = Date.now()): string {
  if (time == null) return UNKNOWN;
  const span = (dateOf(time).getTime() - now) / 1000;
  const [unit, size] = unitOf(span);
  return relative.format(Math.trunc(span / size), unit);
}
