"use client";

import { Area, CartesianGrid, ComposedChart, Line, ResponsiveContainer, Tooltip, type TooltipContentProps, XAxis, YAxis } from "recharts";
import { axisTime, type Format, fullTime, type Look, looks, type Point, type Series } from "@/components/charts/scale";

interface Props {
  title: string;
  points: readonly Point[];
  series: readonly Series[];
  format: Format;
  stacked: boolean;
  whole: boolean;
}

const AXIS = { stroke: "var(--border)", tick: { fill: "var(--muted-foreground)", fontSize: 12 }, tickLine: false } as const;
const DOTS_UP_TO = 31; // points: more of them would touch each other

/** Nothing moves by itself: what is drawn anew twice a second would never stand still. */
export function Plot({ title, points, series, format, stacked, whole }: Props) {
  const styles = looks(series);
  const rows = points.map(({ at, values }) => ({ ...values, at: Date.parse(at) }));
  return (
    <ResponsiveContainer width="100%" height="100%">
      <ComposedChart data={rows} title={title} margin={{ top: 6, right: 8, bottom: 0, left: 0 }}>
        <CartesianGrid vertical={false} stroke="var(--border)" />
        <XAxis
          dataKey="at"
          type="number"
          scale="time"
          domain={["dataMin", "dataMax"]}
          tickFormatter={axisTime(points)}
          minTickGap={32}
          {...AXIS}
        />
        <YAxis width="auto" allowDecimals={!whole} tickFormatter={format} axisLine={false} {...AXIS} />
        <Tooltip
          isAnimationActive={false}
          cursor={{ stroke: "var(--muted-foreground)" }}
          content={(shown) => <Values shown={shown} series={series} styles={styles} format={format} time={fullTime(points)} />}
        />
        {series.map(({ key, name }, index) =>
          (!stacked || points.some(({ values }) => values[key])) &&
          drawn({ key, name, look: styles[index], stacked, dots: points.length <= DOTS_UP_TO }),
        )}
      </ComposedChart>
    </ResponsiveContainer>
  );
}

interface Drawn {
  key: string;
  name: string;
  look: Look | undefined;
  stacked: boolean;
  dots: boolean;
}

/** A function and not a component, since the chart looks for its parts among its direct children. */
function drawn({ key, name, look, stacked, dots }: Drawn) {
  const common = { dataKey: key, name, stroke: look?.color, isAnimationActive: false };
  if (stacked) return <Area key={key} {...common} stackId="all" fill={look?.color} fillOpacity={0.45} />;
  return <Line key={key} {...common} strokeWidth={2} strokeDasharray={look?.dash} dot={dots && { r: 2, strokeDasharray: "none" }} />;
}

interface ValuesProps {
  shown: TooltipContentProps;
  series: readonly Series[];
  styles: readonly Look[];
  format: Format;
  time: (ms: number) => string;
}

/** What is written beside the pointer, or beside the point that the arrow keys have reached. */
function Values({ shown, series, styles, format, time }: ValuesProps) {
  const row: Record<string, unknown> | undefined = shown.payload?.[0]?.payload;
  if (!shown.active || !row) return null;
  return (
    <div className="rounded-md border bg-card px-3 py-2 text-xs shadow-lg">
      <p className="text-muted-foreground">{time(Number(row.at))}</p>
      <dl className="mt-1 grid grid-cols-[auto_auto] gap-x-3 gap-y-0.5">
        {series.map(({ key, name }, index) => {
          const value = row[key];
          if (typeof value !== "number") return null;
          return (
            <div key={key} className="col-span-2 grid grid-cols-subgrid">
              <dt className="flex items-center gap-1.5">
                <span className="size-2 rounded-full" style={{ background: styles[index]?.color }} aria-hidden />
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
