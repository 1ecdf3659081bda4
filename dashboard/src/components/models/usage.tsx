"use client";

import { useResource } from "@/api/hooks";
import type { components } from "@/api/schema";
import { Bars } from "@/components/charts/bars";
import { Card } from "@/components/ui/card";
import { Empty, Loaded } from "@/components/ui/states";
import { type Column, Table } from "@/components/ui/table";
import { count, money, percent } from "@/lib/format";

type Costs = components["schemas"]["CostSummary"];

interface Used {
  name: string;
  attempts: number;
  failed: number;
  tokens: number;
  cost: number;
  share: number; // of all calls
  unpriced: number;
}

export function Usage({ days }: { days: number }) {
  const costs = useResource(["costs", days], (api) => api.GET("/costs/summary", { params: { query: { days } } }), {
    keepPreviousData: true,
  });
  return (
    <Card title="What each model was used for" hint="Calls that were made, with those of comparing answers. Hits of the cache are none.">
      <Loaded found={costs}>{(found) => <Models used={used(found)} />}</Loaded>
    </Card>
  );
}

const CALLS = new Set(["call", "shadow", "judge"]);

function used({ rows }: Costs): Used[] {
  const calls = rows.filter((row) => CALLS.has(row.kind));
  const all = calls.reduce((sum, row) => sum + row.attempts, 0);
  const found = new Map<string, Used>();
  for (const row of calls) {
    const name = `${row.provider}/${row.model}`;
    const so = found.get(name) ?? { name, attempts: 0, failed: 0, tokens: 0, cost: 0, share: 0, unpriced: 0 };
    const attempts = so.attempts + row.attempts;
    found.set(name, {
      name,
      attempts,
      failed: so.failed + row.failed,
      tokens: so.tokens + row.input_tokens + row.output_tokens,
      cost: so.cost + Number(row.cost_cents),
      share: all ? attempts / all : 0,
      unpriced: so.unpriced + row.unpriced_attempts,
    });
  }
  return [...found.values()].sort((one, other) => other.cost - one.cost || other.attempts - one.attempts);
}

const COLUMNS: Column<Used>[] = [
  { name: "Model", cell: (row) => <span className="block min-w-32 wrap-anywhere">{row.name}</span> },
  { name: "Calls", cell: (row) => count(row.attempts), number: true },
  { name: "Share", cell: (row) => percent(row.share), number: true },
  { name: "Failed", cell: (row) => count(row.failed), number: true, wide: true },
  { name: "Tokens", cell: (row) => count(row.tokens), number: true, wide: true },
  { name: "Spent", cell: (row) => (row.unpriced ? `${money(row.cost)} and more` : money(row.cost)), number: true },
];

function Models({ used: found }: { used: readonly Used[] }) {
  const dearest = found[0];
  if (!dearest) return <Empty title="No model was called in this period" />;
  return (
    <div className="grid gap-5 lg:grid-cols-2">
      <Bars
        title="Spent by model"
        summary={`Most was spent on ${dearest.name}: ${money(dearest.cost)}.`}
        rows={found.map(({ name, cost }) => ({ name, value: cost }))}
        format={money}
      />
      <Table label="Calls by model" columns={COLUMNS} rows={found} rowKey={(row) => row.name} />
    </div>
  );
}
