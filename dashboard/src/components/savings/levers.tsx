"use client";

import { useResource } from "@/api/hooks";
import type { components } from "@/api/schema";
import { Bars } from "@/components/charts/bars";
import { Card } from "@/components/ui/card";
import { Loaded } from "@/components/ui/states";
import { type Column, Table } from "@/components/ui/table";
import { count, money } from "@/lib/format";

type Costs = components["schemas"]["CostSummary"];

interface Lever {
  name: string;
  answered: number;
  cost: number;
  saved: number;
}

/** By what an answer came about. Costs of comparing have a card of their own. */
const LEVERS: Record<string, string> = {
  call: "A cheaper model or lane",
  exact_hit: "The same request again, from the cache",
  semantic_hit: "A like question, from the cache",
  shared: "One call for several who asked at once",
};

export function ByLever({ days }: { days: number }) {
  const costs = useResource(["costs", days], (api) => api.GET("/costs/summary", { params: { query: { days } } }), {
    keepPreviousData: true,
  });
  return (
    <Card title="Where it comes from" hint="Estimated against the price list, before what finding it cost.">
      <Loaded found={costs}>{(found) => <Levers levers={levers(found)} />}</Loaded>
    </Card>
  );
}

function levers({ rows }: Costs): Lever[] {
  return Object.entries(LEVERS).map(([kind, name]) => {
    const own = rows.filter((row) => row.kind === kind);
    const sum = (value: (row: (typeof rows)[number]) => number) => own.reduce((total, row) => total + value(row), 0);
    return {
      name,
      answered: sum((row) => row.answered),
      cost: sum((row) => Number(row.cost_cents)),
      saved: sum((row) => Number(row.saved_cents)),
    };
  });
}

const COLUMNS: Column<Lever>[] = [
  { name: "Lever", cell: (row) => row.name },
  { name: "Answers", cell: (row) => count(row.answered), number: true },
  { name: "Paid", cell: (row) => money(row.cost), number: true, wide: true },
  { name: "Saved", cell: (row) => money(row.saved), number: true },
];

function Levers({ levers: found }: { levers: readonly Lever[] }) {
  const best = found.toSorted((one, other) => other.saved - one.saved)[0];
  const summary = best && best.saved > 0 ? `Most comes from: ${best.name.toLowerCase()}, ${money(best.saved)}.` : "Nothing was saved yet.";
  return (
    <div className="grid gap-5 lg:grid-cols-2">
      <Bars
        title="Saved by lever"
        summary={summary}
        rows={found.map(({ name, saved }) => ({ name, value: saved }))}
        format={money}
      />
      <Table label="Levers" columns={COLUMNS} rows={found} rowKey={(row) => row.name} />
    </div>
  );
}
