import { useId } from "react";
import { bars, type Format } from "@/components/charts/scale";
import { Empty } from "@/components/ui/states";
import { UNKNOWN } from "@/lib/format";

export interface Bar {
  name: string;
  value: number | null;
}

interface Props {
  title: string;
  summary: string;
  rows: readonly Bar[];
  format: Format;
}

/** One value for each name, in words and drawn: whoever sees no bars misses nothing, so there is no table beside it. */
export function Bars({ title, summary, rows, format }: Props) {
  const id = useId();
  const drawn = bars(rows.map(({ value }) => value));
  return (
    <figure aria-labelledby={`${id}-title`} aria-describedby={`${id}-summary`} className="grid min-w-0 grid-cols-1 content-start gap-3">
      <figcaption>
        <p id={`${id}-title`} className="font-medium">
          {title}
        </p>
        <p id={`${id}-summary`} className="text-sm text-muted-foreground">
          {summary}
        </p>
      </figcaption>
      {rows.length === 0 && <Empty title="Nothing to draw yet" />}
      <ul className="grid gap-2.5 text-sm">
        {rows.map(({ name, value }, index) => {
          const bar = drawn[index];
          return (
            <li key={name} className="grid gap-1">
              <p className="flex justify-between gap-3">
                <span className="min-w-0 wrap-anywhere">{name}</span>
                <span className="font-medium tabular-nums">{value === null ? UNKNOWN : format(value)}</span>
              </p>
              <div className="relative h-2 rounded-full bg-muted" aria-hidden>
                {bar && value !== null && (
                  <div
                    className={`absolute h-full rounded-full ${value < 0 ? "bg-chart-5" : "bg-chart-1"}`}
                    style={{ left: `${bar.left}%`, width: `${bar.width}%` }}
                  />
                )}
              </div>
            </li>
          );
        })}
      </ul>
    </figure>
  );
}
