"use client";

import Link from "next/link";
import { usePaged } from "@/api/paged";
import { type Batch, batchPath, isOpen, nameOf, STATUSES } from "@/components/batches/words";
import { shortId } from "@/components/jobs/words";
import { Badge } from "@/components/ui/badge";
import { Paged } from "@/components/ui/paged";
import { Progress } from "@/components/ui/progress";
import { Empty } from "@/components/ui/states";
import { type Column, Table } from "@/components/ui/table";
import { ago, count, when } from "@/lib/format";

const REFRESH_MS = 3000;

export function useBatches() {
  return usePaged<Batch>(
    ["batches"],
    async (api, after) => {
      const { data, ...reply } = await api.GET("/v1/batches", { params: { query: { after, limit: 20 } } });
      return { ...reply, data: data && { data: data.data, next: data.has_more ? data.last_id : null } };
    },
    { refreshInterval: (pages) => (pages?.some((page) => page.data.some(isOpen)) ? REFRESH_MS : 0) },
  );
}

export function BatchBadge({ batch }: { batch: Batch }) {
  const { name, tone } = STATUSES[batch.status];
  return <Badge tone={tone}>{name}</Badge>;
}

export function BatchProgress({ batch }: { batch: Batch }) {
  const { total, completed, failed } = batch.request_counts;
  return <Progress label={`Progress of batch ${nameOf(batch) ?? shortId(batch.id)}`} total={total} done={completed} failed={failed} />;
}

const COLUMNS: readonly Column<Batch>[] = [
  {
    name: "Batch",
    cell: (batch) => (
      <Link href={batchPath(batch.id)} className="underline underline-offset-4">
        <span className="block max-w-32 truncate sm:max-w-60">
          {nameOf(batch) ?? <span className="font-mono text-xs">{shortId(batch.id)}</span>}
        </span>
      </Link>
    ),
  },
  { name: "Status", cell: (batch) => <BatchBadge batch={batch} /> },
  {
    name: "Progress",
    cell: (batch) => (
      <div className="grid min-w-20 gap-1">
        <BatchProgress batch={batch} />
        <span className="text-xs whitespace-nowrap text-muted-foreground">
          {count(batch.request_counts.completed + batch.request_counts.failed)} of {count(batch.request_counts.total)}
        </span>
      </div>
    ),
  },
  { name: "Endpoint", wide: true, cell: (batch) => <span className="font-mono text-xs">{batch.endpoint}</span> },
  {
    name: "Made",
    wide: true,
    cell: (batch) => (
      <span title={when(batch.created_at)} className="whitespace-nowrap text-muted-foreground">
        {ago(batch.created_at)}
      </span>
    ),
  },
];

export function BatchList({ found }: { found: ReturnType<typeof useBatches> }) {
  return (
    <Paged
      found={found}
      empty={<Empty title="No batches yet">Send a file of requests, one a line. What can wait may cost half.</Empty>}
    >
      {(batches) => <Table label="Batches" columns={COLUMNS} rows={batches} rowKey={(batch) => batch.id} />}
    </Paged>
  );
}
