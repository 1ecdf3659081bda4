"use client";

import { CancelBatch } from "@/components/batches/cancel";
import { Files } from "@/components/batches/files";
import { BatchBadge, BatchProgress } from "@/components/batches/list";
import { type Batch, nameOf } from "@/components/batches/words";
import { shortId } from "@/components/jobs/words";
import { PageTitle } from "@/components/shell/frame";
import { Card } from "@/components/ui/card";
import { Facts } from "@/components/ui/facts";
import { Stat, Stats } from "@/components/ui/stat";
import { type Column, Table } from "@/components/ui/table";
import { count, UNKNOWN, when } from "@/lib/format";

type Fault = NonNullable<Batch["errors"]>["data"][number];

export function BatchDetail({ batch, onChange }: { batch: Batch; onChange: () => void }) {
  const { total, completed, failed } = batch.request_counts;
  return (
    <>
      <PageTitle
        title={nameOf(batch) ?? `Batch ${shortId(batch.id)}`}
        actions={<CancelBatch batch={batch} onChange={onChange} />}
      />
      <p role="status" className="-mt-2 text-sm">
        <BatchBadge batch={batch} />
      </p>
      <BatchProgress batch={batch} />
      <Stats>
        <Stat name="Requests" value={count(total)} />
        <Stat name="Answered" value={count(completed)} />
        <Stat name="Failed" value={count(failed)} />
        <Stat name="Open" value={count(Math.max(0, total - completed - failed))} />
      </Stats>
      <Faults batch={batch} />
      <Files batch={batch} />
      <About batch={batch} />
    </>
  );
}

const FAULTS: readonly Column<Fault>[] = [
  { name: "Line", cell: (fault) => (fault.line == null ? UNKNOWN : count(fault.line)) },
  { name: "What is wrong", cell: (fault) => <span className="wrap-anywhere">{fault.message}</span> },
  { name: "Code", wide: true, cell: (fault) => <span className="font-mono text-xs">{fault.code}</span> },
];

function Faults({ batch }: { batch: Batch }) {
  const faults = batch.errors?.data ?? [];
  if (faults.length === 0) return null;
  return (
    <Card title="What is wrong with the file">
      <Table label="Faults of the file" columns={FAULTS} rows={faults} rowKey={(fault) => `${fault.line} ${fault.message}`} />
    </Card>
  );
}

const moment = (time: number | null): string | undefined => (time === null ? undefined : when(time));

function About({ batch }: { batch: Batch }) {
  return (
    <Card title="About this batch">
      <Facts
        facts={[
          ["Id", <span key="id" className="font-mono text-xs">{batch.id}</span>],
          ["Endpoint", <span key="endpoint" className="font-mono text-xs">{batch.endpoint}</span>],
          ["Needed within", batch.completion_window],
          ["Made", when(batch.created_at)],
          ["Deadline", when(batch.expires_at)],
          ["Begun", moment(batch.in_progress_at)],
          ["Answered, being written", moment(batch.finalizing_at)],
          ["Completed", moment(batch.completed_at)],
          ["Failed", moment(batch.failed_at)],
          ["Expired", moment(batch.expired_at)],
          ["Cancelled", moment(batch.cancelled_at ?? batch.cancelling_at)],
          ["Tokens in", count(batch.usage.input_tokens)],
          ["Tokens out", count(batch.usage.output_tokens)],
          ...Object.entries(batch.metadata ?? {}).map(([name, value]) => [`Metadata: ${name}`, value] as const),
        ]}
      />
    </Card>
  );
}
