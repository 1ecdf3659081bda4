"use client";

import { Choice } from "@/components/ui/field";

const PERIODS = [
  ["7", "Last 7 days"],
  ["30", "Last 30 days"],
  ["90", "Last 90 days"],
  ["366", "Last 366 days"],
] as const;

export const USUAL_DAYS = 30;

const DAY_MS = 86_400_000;
const ISO_DAY = 10; // characters

/** The first of so many days of UTC, of which today is the last: 2026-11-26. */
export const firstDay = (days: number): string => new Date(Date.now() - (days - 1) * DAY_MS).toISOString().slice(0, ISO_DAY);

/** The same day's beginning. */
export const beginOf = (days: number): string => `${firstDay(days)}T00:00:00Z`;

/** Over how many days figures are summed up: whole days of UTC, today's among them. */
export function Period({ days, onDays }: { days: number; onDays: (days: number) => void }) {
  return <Choice label="Period" options={PERIODS} value={String(days)} onChange={(event) => onDays(Number(event.target.value))} />;
}
