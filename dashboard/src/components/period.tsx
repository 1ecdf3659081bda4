"use client";

import { Choice } from "@/components/ui/field";

const PERIODS = [
  ["7", "Last 7 days"],
  ["30", "Last 30 days"],
  ["90", "Last 90 days"],
  ["366", "Last 366 days"],
] as const;

export const USUAL_DAYS = 30;

/** Over how many days figures are summed up: whole days of UTC, today's among them. */
export function Period({ days, onDays }: { days: number; onDays: (days: number) => void }) {
  return <Choice label="Period" options={PERIODS} value={String(days)} onChange={(event) => onDays(Number(event.target.value))} />;
}
