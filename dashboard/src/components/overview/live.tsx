"use client";

import { useEffect, useState } from "react";
import { TimeSeries } from "@/components/charts/time-series";
import { Card } from "@/components/ui/card";
import { Empty } from "@/components/ui/states";
import { useLive } from "@/live/live";
import { inSteps, KEPT_SECONDS, recently } from "@/live/seconds";
import { count } from "@/lib/format";

const STEP_MS = 5000;

/** Requests of the last minutes, as ticks tell of them. */
export function LiveRequests() {
  const { recent } = useLive();
  const now = useNow(STEP_MS);
  const seconds = recently(recent, now);
  const total = seconds.reduce((sum, second) => sum + second.requests, 0);
  return (
    <Card title="Live" hint={`${count(total)} requests in the last ${KEPT_SECONDS / 60} minutes`}>
      {total === 0 ? (
        <Empty title="Nothing has come in lately">Requests appear here within a second of their answers.</Empty>
      ) : (
        <TimeSeries
          title="Requests in five seconds each"
          summary={`${count(total)} requests in the last ${KEPT_SECONDS / 60} minutes`}
          points={inSteps(seconds, now)}
          series={[
            { key: "called", name: "Called", color: 2 },
            { key: "hits", name: "Without a call", color: 1 },
            { key: "failed", name: "Failed", color: 5 },
          ]}
          format={count}
          stacked
          whole
        />
      )}
    </Card>
  );
}

/** The time, every so often: what is recent is so for a while only, also where nothing new comes. */
function useNow(everyMs: number): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}
