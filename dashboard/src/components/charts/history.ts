import type { components } from "@/api/schema";
import type { Point, Series } from "@/components/charts/scale";

export type History = components["schemas"]["Series"];
export type Figures = History["series"][number]["points"][number];

const LENGTH_MS: Record<History["grain"], number> = { second: 1000, minute: 60_000, day: 86_400_000 };
const WHOLE = "all"; // the one line of a history that is not split

type Measure = (figures: Figures) => number | null;

/** One point for each bucket of the period: of each line one value. `absent` is that of a bucket in which nothing ended: 0 of
 * a sum, null of a mean.
 */
export function points(history: History, value: Measure, absent: 0 | null): Point[] {
  const { found, at } = buckets(history, Object.fromEntries(history.series.map(({ name }) => [name ?? WHOLE, absent])));
  for (const { name, points: given } of history.series) {
    for (const figures of given) {
      const point = at(figures);
      if (point) point.values[name ?? WHOLE] = value(figures);
    }
  }
  return found;
}

/** The same of a history that is not split: of its one line several values. */
export function sums<K extends string>(history: History, measures: Record<K, Measure>): Point[] {
  const named = Object.entries<Measure>(measures);
  const { found, at } = buckets(history, Object.fromEntries(named.map(([key]) => [key, 0])));
  for (const figures of history.series.flatMap((line) => line.points)) {
    const point = at(figures);
    for (const [key, value] of named) if (point) point.values[key] = value(figures);
  }
  return found;
}

/** The API leaves out buckets in which nothing ended; a line that is drawn from one side of such a gap to the other lies. */
function buckets({ grain, since, until }: History, empty: Point["values"]) {
  const length = LENGTH_MS[grain];
  const begin = Date.parse(since);
  const found: Point[] = Array.from({ length: Math.round((Date.parse(until) - begin) / length) }, (_, index) => ({
    at: new Date(begin + index * length).toISOString(),
    values: { ...empty },
  }));
  return { found, at: (figures: Figures) => found[Math.round((Date.parse(figures.at) - begin) / length)] };
}

/** The lines of such points. `named` puts names into words. */
export const lines = (history: History, named: (name: string) => string): Series[] =>
  history.series.map(({ name }) => ({ key: name ?? WHOLE, name: named(name ?? WHOLE) }));
