import type { Point, Series } from "@/components/charts/scale";

/** The values of one series on top of those before it, one for each point. */
export interface Layer {
  bottoms: number[];
  tops: (number | null)[]; // null where the series has no value, and everywhere if it is nothing but zero
}

/** A value that is missing lifts nothing, and leaves a gap in its own layer alone. */
export function stack(points: readonly Point[], series: readonly Series[]): Layer[] {
  const height = points.map(() => 0);
  return series.map(({ key }) => {
    const values = points.map((point) => point.values[key] ?? null);
    const something = values.some(Boolean);
    const bottoms = [...height];
    values.forEach((value, index) => (height[index] = (height[index] ?? 0) + (value ?? 0)));
    return { bottoms, tops: values.map((value, index) => (something && value !== null ? (height[index] ?? null) : null)) };
  });
}

/** First and last index of each stretch without a gap. */
export function stretches(values: readonly (number | null | undefined)[]): [first: number, last: number][] {
  const found: [number, number][] = [];
  values.forEach((value, index) => {
    const open = found.at(-1);
    if (typeof value !== "number") return;
    if (open?.[1] === index - 1) open[1] = index;
    else found.push([index, index]);
  });
  return found;
}

/** What no line leads to: a value between two gaps. */
export const lonely = (values: readonly (number | null | undefined)[]): number[] =>
  stretches(values)
    .filter(([first, last]) => first === last)
    .map(([first]) => first);
