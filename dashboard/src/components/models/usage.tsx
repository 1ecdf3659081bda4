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
import { count, milliseconds, money, percent } from "@/lib/format";

type Row = components["schemas"]["BreakdownRow"];

const OTHERS = "(other)";
const named = (model: string): string => (model === OTHERS ? "All others" : model);

/** What each model answered, what that cost and how long it took. */
export function Usage({ days }: { days: number }) {
  const since = beginOf(days);
  const sums = useResource(
    ["by-model", since],
    (api) => api.GET("/v1/metrics/breakdown", { params: { query: { by: "model", grain: "day", since } } }),
    { keepPreviousData: true },
  );
  const history = useResource(
    ["model-days", since],
    (api) => api.GET("/v1/metrics/series", { params: { query: { by: "model", grain: "day", since } } }),
    { keepPreviousData: true },
  );
  return (
    <Card title="What each model was used for" hint="A hit of the cache counts for the model whose answer it repeats; it is no call and costs nothing.">
      <Loaded found={sums}>
        {({ rows }) =>
          rows.length === 0 ? (
            <Empty title="No model was used in this period" />
          ) : (
            <div className="grid grid-cols-1 gap-6">
              <Used rows={rows} />
              <Loaded found={history}>{(found) => <Days history={found} />}</Loaded>
            </div>
          )
        }
      </Loaded>
    </Card>
  );
}

const hits = ({ hits: { exact, semantic, shared } }: Row): number => exact + semantic + shared;

const columns = (answers: number): Column<Row>[] => [
  { name: "Model", cell: (row) => <span className="block min-w-32 wrap-anywhere">{named(row.name)}</span> },
  { name: "Share of answers", cell: (row) => percent(answers ? row.answered / answers : null), number: true },
  { name: "Answers", cell: (row) => count(row.answered), number: true, wide: true },
  { name: "Of these hits", cell: (row) => count(hits(row)), number: true, wide: true },
  { name: "Calls", cell: (row) => count(row.attempts - hits(row)), number: true, wide: true },
  { name: "Failed calls", cell: (row) => count(row.failed_attempts), number: true, wide: true },
  { name: "Half within", cell: (row) => milliseconds(row.latency_ms_p50), number: true, wide: true },
  { name: "95 % within", cell: (row) => milliseconds(row.latency_ms_p95), number: true },
  { name: "Spent", cell: (row) => (row.unpriced_attempts ? `${money(row.cost_cents)} and more` : money(row.cost_cents)), number: true },
];

function Used({ rows }: { rows: readonly Row[] }) {
  const answers = rows.reduce((sum, row) => sum + row.answered, 0);
  const dearest = rows[0];
  return (
    <>
      <Table label="Use of each model" columns={columns(answers)} rows={rows} rowKey={(row) => row.name} />
      <Bars
        title="Spent by model"
        summary={dearest ? `Most was spent on ${named(dearest.name)}.` : ""}
        rows={rows.map((row) => ({ name: named(row.name), value: Number(row.cost_cents) }))}
        format={money}
      />
    </>
  );
}

function Days({ history }: { history: History }) {
  const found = points(history, (figures) => Number(figures.cost_cents), 0);
  const dearest = Math.max(0, ...found.map(({ values }) => Object.values(values).reduce<number>((sum, value) => sum + (value ?? 0), 0)));
  return (
    <TimeSeries
      title="Spent each day"
      summary={`By model, days of UTC. The dearest of ${count(found.length)} days cost ${money(dearest)}.`}
      points={found}
      series={lines(history, named)}
      format={money}
    />
  );
}
