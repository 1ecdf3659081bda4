"use client";

import { useResource } from "@/api/hooks";
import { sums } from "@/components/charts/history";
import { TimeSeries } from "@/components/charts/time-series";
import { asked, SPANS, type Span } from "@/components/overview/spans";
import { Card } from "@/components/ui/card";
import { Empty, Loaded } from "@/components/ui/states";
import { money } from "@/lib/format";

const REFRESHED_MS = 30_000;

/** What was paid, and what the same answers would have cost without us. */
export function SpendHistory({ span }: { span: Span }) {
  const series = useResource(
    ["metrics", "series", span],
    (api) => api.GET("/v1/metrics/series", { params: { query: asked(span) } }),
    { refreshInterval: REFRESHED_MS, keepPreviousData: true },
  );
  return (
    <Card title="Spend" hint={SPANS[span].name}>
      <Loaded found={series}>
        {(found) => {
          if (found.series.length === 0) return <Empty title="Nothing was spent in this time" />;
          const points = sums(found, {
            cost: (figures) => Number(figures.cost_cents),
            baseline: (figures) => Number(figures.baseline_cost_cents),
          });
          const sum = (key: "cost" | "baseline") => points.reduce((all, { values }) => all + (values[key] ?? 0), 0);
          return (
            <TimeSeries
              title="Spend"
              summary={`${money(sum("cost"))} were spent where the baseline would have cost ${money(sum("baseline"))}`}
              points={points}
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
