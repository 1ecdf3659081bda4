import type { components } from "@/api/schema";
import { Card } from "@/components/ui/card";
import { Empty } from "@/components/ui/states";
import { type Column, Table } from "@/components/ui/table";
import { count, seconds } from "@/lib/format";

type Worker = components["schemas"]["WorkerView"];

const COLUMNS: readonly Column<Worker>[] = [
  { name: "Worker", cell: (worker) => <span className="font-medium">{worker.name}</span> },
  { name: "Processes", number: true, cell: (worker) => count(worker.processes) },
  { name: "Busy", number: true, cell: (worker) => `${count(worker.busy)} of ${count(worker.slots)}` },
  { name: "Last progress", number: true, cell: (worker) => `${seconds(worker.seconds_since_progress)} ago` },
  { name: "Version", cell: (worker) => worker.versions?.join(", ") },
];

export function Workers({ workers }: { workers: readonly Worker[] }) {
  return (
    <Card title="Workers" hint="Those that have given a sign of life. Busy: tasks that run now, of those that could.">
      {workers.length === 0 ? (
        <Empty title="No worker gives a sign of life">Start them, or look whether Redis answers.</Empty>
      ) : (
        <Table label="Workers" columns={COLUMNS} rows={workers} rowKey={(worker) => worker.name} />
      )}
    </Card>
  );
}
