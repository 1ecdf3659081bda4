import type { components } from "@/api/schema";
import { Card } from "@/components/ui/card";
import { Empty } from "@/components/ui/states";
import { type Column, Table } from "@/components/ui/table";
import { count, seconds } from "@/lib/format";

type Queue = components["schemas"]["QueueView"];

const COLUMNS: readonly Column<Queue>[] = [
  { name: "Class", cell: (queue) => <span className="font-medium">{queue.class}</span> },
  { name: "Waiting", number: true, cell: (queue) => count(queue.waiting) },
  { name: "Admitted", number: true, cell: (queue) => count(queue.admitted) },
  { name: "Running", number: true, cell: (queue) => count(queue.running) },
  { name: "Held", number: true, cell: (queue) => count(queue.held) },
  { name: "In batches", number: true, cell: (queue) => count(queue.lane) },
  { name: "Longest wait", number: true, cell: (queue) => seconds(queue.longest_wait_seconds) },
  { name: "Oldest", number: true, cell: (queue) => seconds(queue.oldest_seconds) },
];

export function Queues({ queues }: { queues: readonly Queue[] }) {
  return (
    <Card title="Queues" hint="Jobs by class and state, each counted up to 10,000. Held: until a retry, or a place in a rate limit.">
      {queues.length === 0 ? (
        <Empty title="Nothing is queued" />
      ) : (
        <Table label="Queues" columns={COLUMNS} rows={queues} rowKey={(queue) => queue.class} />
      )}
    </Card>
  );
}
