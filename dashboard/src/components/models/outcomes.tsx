"use client";

import { useResource } from "@/api/hooks";
import type { components } from "@/api/schema";
import { Card } from "@/components/ui/card";
import { Empty, Loaded } from "@/components/ui/states";
import { type Column, Table } from "@/components/ui/table";
import { firstDay } from "@/components/period";
import { quality, SOURCES, task } from "@/components/models/words";
import { count, percent, UNKNOWN } from "@/lib/format";

type Outcome = components["schemas"]["OutcomeRow"];
type Pair = components["schemas"]["PairRow"];

const COLUMNS: Column<Outcome>[] = [
  { name: "Model", cell: (row) => <span className="block min-w-32 wrap-anywhere">{row.model}</span> },
  { name: "Kind of prompt", cell: (row) => task(row.task) },
  { name: "Judged by", cell: (row) => SOURCES[row.source], wide: true },
  { name: "Answers", cell: (row) => count(row.n), number: true },
  { name: "Mean quality", cell: (row) => quality(row.mean), number: true },
  { name: "95 % interval", cell: (row) => `${quality(row.low)} to ${quality(row.high)}`, number: true },
];

const PAIR_COLUMNS: Column<Pair>[] = [
  { name: "Model", cell: (row) => <span className="block min-w-32 wrap-anywhere">{row.model}</span> },
  { name: "Against", cell: (row) => <span className="block min-w-32 wrap-anywhere">{row.rival}</span> },
  { name: "Won", cell: (row) => count(row.wins), number: true },
  { name: "Tied", cell: (row) => count(row.ties), number: true },
  { name: "Lost", cell: (row) => count(row.losses), number: true },
  {
    name: "Won of the decided (95 %)",
    cell: (row) => (row.win_rate === null ? UNKNOWN : `${percent(row.win_rate)} (${percent(row.low)} to ${percent(row.high)})`),
    number: true,
  },
];

/** How good answers were, by who judged them: judges of different weight are not mixed. */
export function Outcomes({ days }: { days: number }) {
  const since = firstDay(days);
  const outcomes = useResource(["outcomes", since], (api) => api.GET("/v1/outcomes", { params: { query: { since } } }), {
    keepPreviousData: true,
  });
  return (
    <Card title="How good the answers were" hint="Measured: each answer that somebody or something judged, with the interval its mean lies in.">
      <Loaded found={outcomes}>
        {(found) =>
          found.outcomes.length === 0 && found.pairs.length === 0 ? (
            <Empty title="No answer was judged in this period">
              Say of a job whether its answer was good, on its page or with <code>POST /v1/feedback</code>, or set a judge model.
            </Empty>
          ) : (
            <div className="grid grid-cols-1 gap-5">
              <Table
                label="Outcomes by model, kind of prompt and judge"
                columns={COLUMNS}
                rows={found.outcomes}
                rowKey={(row) => `${row.model} ${row.task} ${row.source}`}
              />
              {found.pairs.length > 0 && (
                <div className="grid gap-2">
                  <h3 className="text-sm font-medium">Two models, the same questions</h3>
                  <Table label="Pairs of models" columns={PAIR_COLUMNS} rows={found.pairs} rowKey={(row) => `${row.model} ${row.rival}`} />
                </div>
              )}
            </div>
          )
        }
      </Loaded>
    </Card>
  );
}
