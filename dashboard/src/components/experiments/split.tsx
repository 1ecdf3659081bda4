import type { Results } from "@/components/experiments/words";
import { Badge } from "@/components/ui/badge";
import { Card } from "@/components/ui/card";
import { type Column, Table } from "@/components/ui/table";
import { count, percent } from "@/lib/format";

interface Row {
  arm: string;
  expected: number;
  units: number;
  total: number;
}

const COLUMNS: readonly Column<Row>[] = [
  { name: "Arm", cell: ({ arm }) => <span className="wrap-anywhere">{arm}</span> },
  { name: "Expected", number: true, cell: ({ expected }) => percent(expected) },
  { name: "Seen", number: true, cell: ({ units, total }) => (total > 0 ? percent(units / total) : percent(null)) },
  { name: "Units", number: true, cell: ({ units }) => count(units) },
];

/** Whether the arms have as much as chance should give them. */
export function Split({ split }: { split: Results["split"] }) {
  const total = Object.values(split.observed).reduce((sum, units) => sum + units, 0);
  const rows = Object.entries(split.expected).map(([arm, expected]) => ({ arm, expected, units: split.observed[arm] ?? 0, total }));
  return (
    <Card
      title="The split"
      hint={
        split.suspicious
          ? "Chance does not explain it: the arms lose jobs in different ways. Nothing is decided before it is known why."
          : "As chance should give it."
      }
      actions={<Badge tone={split.suspicious ? "bad" : "good"}>p = {split.anytime_p.toPrecision(2)}</Badge>}
    >
      <Table label="The split" columns={COLUMNS} rows={rows} rowKey={({ arm }) => arm} />
    </Card>
  );
}
