import type { components } from "@/api/schema";
import type { Point, Series } from "@/components/charts/scale";

export type History = components["schemas"]["Series"];
export type Figures = History["series"][number]["points"][number];

const LENGTH_MS: Record<History["grain"], number> = { second: 1000, minute: 60_000, day: 86_400_000 };
const WHOLE = "all"; // the one line of a history that is not split

/** One point for each bucket of the period. `absent` is the value of one in which nothing ended: 0 of a sum, null of a mean. */
export function points(history: History, value: (figures: Figures) => number | null, absent: 0 | null): Point[] {
  const length = LENGTH_MS[history.grain];
  const begin = Date.parse(history.since);
  const buckets = Math.round((Date.parse(history.until) - begin) / length);
  const empty = Object.fromEntries(history.series.map(({ name }) => [name ?? WHOLE, absent]));
  const found: Point[] = Array.from({ length: buckets }, (_, index) => ({
    at: new Date(begin + index * length).toISOString(),
    values: { ...empty },
  }));
  for (const { name, points: given } of history.series) {
    for (const figures of given) {
      const point = found[Math.round((Date.parse(figures.at) - begin) / length)];
      if (point) point.values[name ?? WHOLE] = value(figures);
    }
  }
  return found;
}

/** The lines of such points. `named` puts names into words. */
export const lines = (history: History, named: (name: string) => string): Series[] =>
  history.series.map(({ name }) => ({ key: name ?? WHOLE, name: named(name ?? WHOLE) }));
