"use client";

import dynamic from "next/dynamic";
import { useId, useState } from "react";
import { type Format, fullTime, looks, type Point, type Series } from "@/components/charts/scale";
import { Button } from "@/components/ui/button";
import { Empty, Loading } from "@/components/ui/states";
import { type Column, Table } from "@/components/ui/table";
import { UNKNOWN } from "@/lib/format";

/** The library that draws is fetched by the first page that shows a chart. */
const Plot = dynamic(() => import("@/components/charts/plot").then((found) => found.Plot), {
  ssr: false,
  loading: () => <Loading what="Drawing" />,
});

interface Props {
  title: string;
  summary: string; // what the chart says, for those who do not see it, and for those in a hurry
  points: readonly Point[]; // by time
  series: readonly Series[];
  format: Format;
  stacked?: boolean;
}

/** Values over time: as lines, or as areas on top of each other. The same numbers can be read as a table. */
export function TimeSeries({ title, summary, points, series, format, stacked = false }: Props) {
  const id = useId();
  const [asTable, setAsTable] = useState(false);
  return (
    <figure aria-labelledby={`${id}-title`} aria-describedby={`${id}-summary`} className="grid min-w-0 grid-cols-1 content-start gap-3">
      <figcaption className="flex flex-wrap items-start justify-between gap-2">
        <div className="min-w-0">
          <p id={`${id}-title`} className="font-medium">
            {title}
          </p>
          <p id={`${id}-summary`} className="text-sm text-muted-foreground">
            {summary}
          </p>
        </div>
        {points.length > 0 && (
          <Button look="quiet" size="small" aria-describedby={`${id}-title`} onClick={() => setAsTable(!asTable)}>
            {asTable ? "Show as a chart" : "Show as a table"}
          </Button>
        )}
      </figcaption>
      {points.length === 0 && <Empty title="Nothing to draw yet" />}
      {points.length > 0 && asTable && <AsTable {...{ title, points, series, format }} />}
      {points.length > 0 && !asTable && (
        <>
          <div className="h-56 min-w-0">
            <Plot {...{ title, points, series, format, stacked }} />
          </div>
          <Legend series={series} stacked={stacked} />
        </>
      )}
    </figure>
  );
}

function AsTable({ title, points, series, format }: Pick<Props, "title" | "points" | "series" | "format">) {
  const time = fullTime(points);
  const columns: Column<Point>[] = [
    { name: "Time", cell: (point) => time(Date.parse(point.at)) },
    ...series.map(({ key, name }) => ({
      name,
      number: true,
      cell: (point: Point) => {
        const value = point.values[key] ?? null;
        return value === null ? UNKNOWN : format(value);
      },
    })),
  ];
  return (
    <div className="max-h-72 overflow-y-auto">
      <Table label={title} columns={columns} rows={points.toReversed()} rowKey={(point) => point.at} />
    </div>
  );
}

function Legend({ series, stacked }: Pick<Props, "series"> & { stacked: boolean }) {
  const styles = looks(series);
  return (
    <ul className="flex flex-wrap gap-x-4 gap-y-1 text-xs text-muted-foreground">
      {series.map((one, index) => (
        <li key={one.key} className="flex max-w-full min-w-0 items-center gap-1.5">
          <svg viewBox="0 0 24 8" className="h-2 w-6 shrink-0" aria-hidden>
            <line
              x2="24"
              y1="4"
              y2="4"
              stroke={styles[index]?.color}
              strokeWidth={stacked ? 8 : 2}
              strokeDasharray={stacked ? "none" : styles[index]?.dash}
            />
          </svg>
          <span className="truncate">{one.name}</span>
        </li>
      ))}
    </ul>
  );
}
