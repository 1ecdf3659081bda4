import { Badge } from "@/components/ui/badge";
import { Card } from "@/components/ui/card";
import { type Column, Table } from "@/components/ui/table";
import { estimated, type PriceList, type Savings } from "@/components/savings/words";
import { count, money, percent } from "@/lib/format";

interface Row {
  name: string;
  value: string;
}

const COLUMNS: Column<Row>[] = [
  { name: "Figure", cell: (row) => row.name },
  { name: "Amount", cell: (row) => row.value, number: true },
];

/** Savings against what the same tokens cost at list price. */
export function AgainstPriceList({ found }: { found: PriceList }) {
  const excluded = Number(found.excluded_baseline_cents);
  const rows: Row[] = [
    { name: "The same tokens at the baseline model's list price", value: money(found.baseline_cost_cents) },
    ...(excluded ? [{ name: "Of that, left out, since the answer's own cost is unknown", value: money(excluded) }] : []),
    { name: "What was paid, with what routing itself cost", value: money(found.cost_cents) },
    { name: "Difference", value: money(found.saved_cents) },
    { name: "Share of the list price", value: percent(found.saved_share) },
  ];
  return (
    <Card
      title="Estimated: against the price list"
      hint="There from the first answer. It takes for granted that the baseline model would have written as many tokens."
      actions={<Badge>Estimated</Badge>}
    >
      <div className="grid gap-4">
        <p>{estimated(found)}</p>
        <Table label="Against the price list" columns={COLUMNS} rows={rows} rowKey={(row) => row.name} />
        {found.unpriced_attempts > 0 && (
          <p className="text-sm text-warning">
            {count(found.unpriced_attempts)} calls have no known price. They count on neither side: what was paid is more than shown.
          </p>
        )}
      </div>
    </Card>
  );
}

/** What the savings cost to find. */
export function RoutingCost({ found }: { found: Savings["routing_cost"] }) {
  const rows: Row[] = [
    { name: "What other models would have said, for comparison", value: money(found.shadow_cents) },
    { name: "Which of two answers was better", value: money(found.judge_cents) },
    { name: "Together", value: money(found.total_cents) },
  ];
  return (
    <Card title="What the optimisation itself cost" hint="Subtracted from both figures above. The machines that it runs on are not in it.">
      <Table label="What the optimisation itself cost" columns={COLUMNS} rows={rows} rowKey={(row) => row.name} />
    </Card>
  );
}
