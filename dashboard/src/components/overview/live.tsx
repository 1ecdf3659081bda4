"use client";

import { useEffect, useState } from "react";
import { TimeSeries } from "@/components/charts/time-series";
import { Card } from "@/components/ui/card";
import { Empty, Loading } from "@/components/ui/states";
import { UNTIL_LIVE_MS, useLive } from "@/live/live";
import { inSteps, KEPT_SECONDS, recently } from "@/live/seconds";
import { count } from "@/lib/format";

const STEP_MS = 5000;

/** Requests of the last minutes, as ticks tell of them. */
export function LiveRequests() {
  const { recent, state } = useLive();
  const now = useNow(STEP_MS);
  const seconds = recently(recent, now);
  const total = seconds.reduce((sum, second) => sum + second.requests, 0);
  const words = `${count(total)} requests in the last ${KEPT_SECONDS / 60} minutes`;
  const known = recent.seq !== null;
  return (
    <Card title="Live" hint={known && (state === "live" ? words : `${words}, looked at every ${UNTIL_LIVE_MS / 1000} seconds`)}>
      {!known ? (
        <Loading what="Looking for the last requests" />
      ) : total === 0 ? (
        <Empty title="Nothing has come in lately">Requests appear here soon after their answers.</Empty>
      ) : (
        <TimeSeries
          title="Requests in five seconds each"
          summary="Called, answered without a call, or failed"
          points={inSteps(seconds, now)}
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

/** The time, every so often: what is recent is so for a while only, also where nothing new comes. */
function useNow(everyMs: number): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}
