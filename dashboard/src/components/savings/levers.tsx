"use client";

import { useResource } from "@/api/hooks";
import type { components } from "@/api/schema";
import { Bars } from "@/components/charts/bars";
import { type History, lines, points } from "@/components/charts/history";
import { TimeSeries } from "@/components/charts/time-series";
import { beginOf } from "@/components/period";
import { Card } from "@/components/ui/card";
import { Empty, Loaded } from "@/components/ui/states";
import { type Column, Table } from "@/components/ui/table";
import { count, money } from "@/lib/format";
import { leverName } from "@/lib/levers";

type Row = components["schemas"]["BreakdownRow"];

/** `estimated` is what was saved by the price list, US cents. */
export function ByLever({ days, estimated }: { days: number; estimated: number }) {
  const since = beginOf(days);
  const sums = useResource(
    ["by-lever", since],
    (api) => api.GET("/v1/metrics/breakdown", { params: { query: { by: "lever", grain: "day", since } } }),
    { keepPreviousData: true },
  );
  const history = useResource(
    ["lever-days", since],
    (api) => api.GET("/v1/metrics/series", { params: { query: { by: "lever", grain: "day", since } } }),
    { keepPreviousData: true },
  );
  return (
    <Card title="Where it comes from" hint="Estimated against the price list. Each call and each hit counts for exactly one of these.">
      <Loaded found={sums}>
        {({ rows }) =>
          rows.length === 0 ? (
            <Empty title="Nothing ended in this period" />
          ) : (
            <div className="grid grid-cols-1 gap-6">
              <Levers rows={rows} />
              <Missing estimated={estimated} rows={rows} />
              <Loaded found={history}>{(found) => <Days history={found} />}</Loaded>
            </div>
          )
        }
      </Loaded>
    </Card>
  );
}

const COLUMNS: Column<Row>[] = [
  { name: "Lever", cell: (row) => leverName(row.name) },
  { name: "Answers", cell: (row) => count(row.answered), number: true },
  { name: "Paid", cell: (row) => money(row.cost_cents), number: true, wide: true },
  { name: "At list price", cell: (row) => money(row.baseline_cost_cents), number: true, wide: true },
  { name: "Saved", cell: (row) => money(row.saved_cents), number: true },
];

function Levers({ rows }: { rows: readonly Row[] }) {
  const found = rows.toSorted((one, other) => Number(other.saved_cents) - Number(one.saved_cents));
  const best = found[0];
  const most = best && Number(best.saved_cents) > 0 ? `Most is owed to this: ${leverName(best.name).toLowerCase()}.` : "Nothing was saved yet.";
  return (
    <div className="grid gap-6 lg:grid-cols-2">
      <Bars
        title="Saved by lever"
        summary={most}
        rows={found.map((row) => ({ name: leverName(row.name), value: Number(row.saved_cents) }))}
        format={money}
      />
      <Table label="Levers" columns={COLUMNS} rows={found} rowKey={(row) => row.name} />
    </div>
  );
}

const NOTABLE = 0.01; // of the whole

/** Sums by lever began with an upgrade, and are booked a moment apart from the others: they may hold less. */
function Missing({ estimated, rows }: { estimated: number; rows: readonly Row[] }) {
  const held = rows.reduce((sum, row) => sum + Number(row.saved_cents), 0);
  if (Math.abs(estimated - held) <= NOTABLE * Math.abs(estimated)) return null;
  return (
    <p className="text-sm text-warning">
      Together these are {money(held)}, and not the {money(estimated)} above: some answers ended before savings were summed up by
      lever, or are being booked just now.
    </p>
  );
}

/** What comparing cost is a loss, which no area on top of others can show: it is left to the sums above. */
function Days({ history }: { history: History }) {
  const shown = { ...history, series: history.series.filter(({ name }) => name !== "comparison") };
  const found = points(shown, (figures) => Number(figures.saved_cents), 0);
  const totals = found.map(({ values }) => Object.values(values).reduce<number>((sum, value) => sum + (value ?? 0), 0));
  const best = Math.max(0, ...totals);
  return (
    <TimeSeries
      title="Saved each day"
      summary={`By lever, days of UTC. The best of ${count(found.length)} days saved ${money(best)}.`}
      points={found}
      series={lines(shown, leverName)}
      format={money}
      stacked
    />
  );
}
