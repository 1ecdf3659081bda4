"use client";

import "uplot/dist/uPlot.min.css";
import { type KeyboardEvent, type RefObject, useEffect, useRef, useState } from "react";
import { type Chart, chartOn, type Shown } from "@/components/charts/canvas";
import { fullTime } from "@/components/charts/scale";
import { inWords, type Place, Values } from "@/components/charts/values";

interface Props extends Shown {
  title: string;
}

/** Nothing moves by itself: what is drawn anew twice a second would never stand still. The arrow keys lead from point to point. */
export function Plot({ title, points, series, format, stacked }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const [place, setPlace] = useState<Place | null>(null);
  const [said, setSaid] = useState("");
  const chart = useChart(host, { points, series, format, stacked }, setPlace);
  const time = fullTime(points);
  const point = place && points[place.index];

  function goTo(index: number | null) {
    chart.current?.point(index);
    const found = index === null ? undefined : points[index];
    setSaid(found ? inWords({ point: found, series, format, time }) : "");
  }

  function onKeyDown(event: KeyboardEvent) {
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const index = indexAfter(event.key, place?.index ?? null, points.length);
    if (index === undefined) return;
    event.preventDefault();
    goTo(index);
  }

  return (
    <div className="relative size-full min-w-0">
      <div
        role="application"
        aria-roledescription="chart"
        aria-label={title}
        aria-keyshortcuts="ArrowLeft ArrowRight Home End Escape"
        tabIndex={0}
        onKeyDown={onKeyDown}
        onBlur={() => goTo(null)}
        className="absolute inset-0 rounded-sm"
      >
        <div
          ref={host}
          className="absolute inset-0 overflow-hidden [&_.u-cursor-x]:border-solid! [&_.u-cursor-x]:border-muted-foreground!"
        />
      </div>
      {place && point && <Values {...{ point, series, format, time, place }} />}
      <p aria-live="polite" className="sr-only">
        {said}
      </p>
    </div>
  );
}

/** Where a key leads: nowhere is null, and a key that is none of ours leads to undefined. */
function indexAfter(key: string, index: number | null, count: number): number | null | undefined {
  if (key === "ArrowRight") return index === null ? 0 : Math.min(index + 1, count - 1);
  if (key === "ArrowLeft") return index === null ? count - 1 : Math.max(index - 1, 0);
  if (key === "Home") return 0;
  if (key === "End") return count - 1;
  return key === "Escape" && index !== null ? null : undefined;
}

/** Made anew for other series alone: new values of the same ones are handed on. */
function useChart(host: RefObject<HTMLDivElement | null>, shown: Shown, reached: (place: Place | null) => void): RefObject<Chart | null> {
  const chart = useRef<Chart>(null);
  const { points, series, format, stacked } = shown;
  const lines = JSON.stringify([stacked, series.map(({ key, color }) => [key, color])]);
  useEffect(() => {
    if (!host.current) return;
    const made = chartOn(host.current, shown, reached);
    chart.current = made;
    return () => {
      chart.current = null;
      made.close();
      reached(null);
    };
  }, [lines]);
  useEffect(() => chart.current?.show({ points, series, format, stacked }), [points, series, format, stacked]);
  return chart;
}
