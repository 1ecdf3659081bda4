"use client";

import { useResource } from "@/api/hooks";
import { TimeSeries } from "@/components/charts/time-series";
import { SPANS, type Span, since } from "@/components/overview/figures";
import { Card } from "@/components/ui/card";
import { Empty, Loaded } from "@/components/ui/states";
import { money } from "@/lib/format";

const REFRESHED_MS = 30_000;

/** What was paid, and what the same answers would have cost without us. */
export function SpendHistory({ span }: { span: Span }) {
  const series = useResource(
    ["metrics", "series", span],
    (api) => api.GET("/v1/metrics/series", { params: { query: { grain: SPANS[span].grain, since: since(span) } } }),
    { refreshInterval: REFRESHED_MS, keepPreviousData: true },
  );
  return (
    <Card title="Spend" hint={SPANS[span].name}>
      <Loaded found={series}>
        {(found) => {
          const points = found.series[0]?.points ?? [];
          if (points.length === 0) return <Empty title="Nothing was spent in this time" />;
          const sum = (key: "cost_cents" | "baseline_cost_cents") => points.reduce((all, point) => all + Number(point[key]), 0);
          return (
            <TimeSeries
              title="Spend"
              summary={`${money(sum("cost_cents"))} were spent where the baseline would have cost ${money(sum("baseline_cost_cents"))}`}
              points={points.map((point) => ({
                at: point.at,
                values: { cost: Number(point.cost_cents), baseline: Number(point.baseline_cost_cents) },
              }))}
              series={[
                { key: "baseline", name: "Baseline", color: 3 },
                { key: "cost", name: "Spent", color: 1 },
              ]}
              format={money}
            />
          );
        }}
      </Loaded>
    </Card>
  );
}
