"use client";

import { TimeSeries } from "@/components/charts/time-series";
import { Card } from "@/components/ui/card";
import { Empty } from "@/components/ui/states";
import { useLive } from "@/live/live";
import { KEPT_SECONDS, type Second } from "@/live/seconds";
import { count } from "@/lib/format";

const EACH_SECONDS = 5; // a point

/** Requests of the last minutes, as ticks tell of them. */
export function LiveRequests() {
  const { recent } = useLive();
  const seconds = [...recent.seconds.values()];
  const points = inSteps(seconds);
  const total = seconds.reduce((sum, second) => sum + second.requests, 0);
  return (
    <Card title="Live" hint={`${count(total)} requests in the last ${KEPT_SECONDS / 60} minutes`}>
      {total === 0 ? (
        <Empty title="Nothing has come in lately">Requests appear here within a second of their answers.</Empty>
      ) : (
        <TimeSeries
          title="Requests in five seconds each"
          summary="Called, answered without a call, or failed"
          points={points}
          series={[
            { key: "called", name: "Called", color: 2 },
            { key: "hits", name: "Without a call", color: 1 },
            { key: "failed", name: "Failed", color: 5 },
          ]}
          format={count}
          stacked
        />
      )}
    </Card>
  );
}

interface Step {
  called: number;
  hits: number;
  failed: number;
}

/** Of nothing, nothing: a tenant that has asked nothing yet has no newest second. */
function inSteps(seconds: readonly Second[]): { at: string; values: Record<string, number> }[] {
  const width = EACH_SECONDS * 1000;
  const steps = new Map<number, Step>();
  for (const second of seconds) {
    const at = Math.floor(Date.parse(second.at) / width) * width;
    const step = steps.get(at) ?? { called: 0, hits: 0, failed: 0 };
    const hits = second.hits.exact + second.hits.semantic + second.hits.shared;
    step.hits += hits;
    step.failed += second.failed;
    step.called += second.answered - hits;
    steps.set(at, step);
  }
  if (steps.size === 0) return [];
  const newest = Math.max(...steps.keys());
  const begin = newest - KEPT_SECONDS * 1000 + width;
  return Array.from({ length: KEPT_SECONDS / EACH_SECONDS }, (_, index) => begin + index * width).map((at) => ({
    at: new Date(at).toISOString(),
    values: { ...(steps.get(at) ?? { called: 0, hits: 0, failed: 0 }) },
  }));
}
