import { when } from "@/lib/format";

/** What charts calculate. Nothing here draws. */

export interface Point {
  at: string; // ISO
  values: Record<string, number | null>; // by the series' key; null leaves a gap
}

export interface Series {
  key: string;
  name: string;
  color?: 1 | 2 | 3 | 4 | 5;
}

export type Format = (value: number) => string;

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const DAY_MS = 24 * 60 * MINUTE_MS;
const TO_SECONDS_MS = 15 * MINUTE_MS;
const TO_MINUTES_MS = 2 * DAY_MS;

const seconds = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const minutes = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const days = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
/** Rollups of days begin at midnight UTC: another zone would name some of them after the day before. */
const daysInUtc = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", timeZone: "UTC" });
const datesInUtc = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeZone: "UTC" });

const wholeDays = (times: readonly number[]): boolean => times.every((time) => time % DAY_MS === 0);
const spanOf = (times: readonly number[]): number => Math.max(...times) - Math.min(...times);

/** How the times of an axis are written, given how much of it there is. */
export function axisTime(points: readonly Point[]): (ms: number) => string {
  const times = points.map(({ at }) => Date.parse(at));
  const span = spanOf(times);
  const written = span <= TO_SECONDS_MS ? seconds : span <= TO_MINUTES_MS ? minutes : days;
  const found = wholeDays(times) ? daysInUtc : written;
  return (ms) => found.format(ms);
}

/** How far apart two times of the axis must at least be to be written differently, in milliseconds. */
export function axisStep(points: readonly Point[]): number {
  const times = points.map(({ at }) => Date.parse(at));
  const span = spanOf(times);
  if (wholeDays(times) || span > TO_MINUTES_MS) return DAY_MS;
  return span <= TO_SECONDS_MS ? SECOND_MS : MINUTE_MS;
}

/** The time whose local hours are those that the axis counts from: of rollups of days, those of UTC. */
export function axisDate(points: readonly Point[]): (ms: number) => Date {
  const ofDays = wholeDays(points.map(({ at }) => Date.parse(at)));
  return (ms) => new Date(ofDays ? ms + new Date(ms).getTimezoneOffset() * MINUTE_MS : ms);
}

const NICE = [1, 2, 5, 10] as const;

/** Round values from `low` to `high` or a little beyond both, with `most` steps or about as many between them. */
export function marks(low: number, high: number, most: number, whole: boolean): number[] {
  const least = (high - low || 1) / most;
  const power = 10 ** Math.floor(Math.log10(least));
  const step = Math.max(whole ? 1 : 0, power * (NICE.find((size) => size * power >= least) ?? 10));
  const first = Math.floor(low / step);
  const last = Math.max(Math.ceil(high / step), first + 1);
  return Array.from({ length: last - first + 1 }, (_, index) => (first + index) * step);
}

/** How the time of one of the points is written, where there is room. */
export function fullTime(points: readonly Point[]): (ms: number) => string {
  const ofDays = wholeDays(points.map(({ at }) => Date.parse(at)));
  return (ms) => (ofDays ? datesInUtc.format(ms) : when(new Date(ms)));
}

/** Where a bar begins and how long it is, in percent of the room. Bars of less than nothing lie left of the others. */
export function bars(values: readonly (number | null)[]): ({ left: number; width: number } | null)[] {
  const known = values.filter((value) => value !== null);
  const low = Math.min(0, ...known);
  const room = Math.max(0, ...known) - low || 1;
  return values.map((value) =>
    value === null ? null : { left: ((Math.min(value, 0) - low) / room) * 100, width: (Math.abs(value) / room) * 100 },
  );
}

const COLORS = [1, 2, 3, 4, 5] as const;
/** Beside its colour each series has a line of its own: not everybody tells colours apart. */
const DASHES = ["none", "7 3", "2 3", "9 3 2 3", "4 4"] as const;

export interface Look {
  color: string;
  dash: string;
}

export function looks(series: readonly Series[]): Look[] {
  return series.map((one, index) => ({
    color: `var(--chart-${one.color ?? COLORS[index % COLORS.length]})`,
    dash: DASHES[(index + Math.floor(index / DASHES.length)) % DASHES.length] ?? "none", // a colour's second line has another
  }));
}
