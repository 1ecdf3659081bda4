import { type Format, looks, type Point, type Series } from "@/components/charts/scale";

/** Where a point is within its chart: pixels to each edge. */
export interface Place {
  index: number;
  left: number;
  top: number;
  right: number;
  bottom: number;
}

interface Read {
  point: Point;
  series: readonly Series[];
  format: Format;
  time: (ms: number) => string;
}

const BESIDE_PX = 12;

/** What is written beside the pointer, or beside the point that the arrow keys have reached. Whoever hears it, hears `inWords`. */
export function Values({ point, series, format, time, place }: Read & { place: Place }) {
  const { left, top, right, bottom } = place;
  const room = Math.max(left, right) - BESIDE_PX;
  const across = left < right ? { left: left + BESIDE_PX } : { right: right + BESIDE_PX };
  const along = top < bottom ? { top } : { bottom };
  const styles = looks(series);
  return (
    <div
      aria-hidden
      style={{ ...across, ...along, maxWidth: room }}
      className="pointer-events-none absolute z-10 rounded-md border bg-card px-3 py-2 text-xs shadow-lg"
    >
      <p className="text-muted-foreground">{time(Date.parse(point.at))}</p>
      <dl className="mt-1 grid grid-cols-[auto_auto] gap-x-3 gap-y-0.5">
        {series.map(({ key, name }, index) => {
          const value = point.values[key] ?? null;
          if (value === null) return null;
          return (
            <div key={key} className="col-span-2 grid grid-cols-subgrid">
              <dt className="flex min-w-0 items-center gap-1.5 wrap-anywhere">
                <span className="size-2 shrink-0 rounded-full" style={{ background: styles[index]?.color }} />
                {name}
              </dt>
              <dd className="text-right font-medium tabular-nums">{format(value)}</dd>
            </div>
          );
        })}
      </dl>
    </div>
  );
}

export function inWords({ point, series, format, time }: Read): string {
  const known = series.flatMap(({ key, name }) => {
    const value = point.values[key] ?? null;
    return value === null ? [] : [`${name} ${format(value)}`];
  });
  return `${time(Date.parse(point.at))}: ${known.join(", ") || "no value"}`;
}
