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

const MINUTE_MS = 60_000;
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

/** How the times of an axis are written, given how much of it there is. */
export function axisTime(points: readonly Point[]): (ms: number) => string {
  const times = points.map(({ at }) => Date.parse(at));
  const span = Math.max(...times) - Math.min(...times);
  const written = span <= TO_SECONDS_MS ? seconds : span <= TO_MINUTES_MS ? minutes : days;
  return (ms) => (wholeDays(times) ? daysInUtc : written).format(ms);
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
