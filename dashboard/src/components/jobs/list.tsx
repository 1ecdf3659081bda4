"use client";

import Link from "next/link";
import { usePaged } from "@/api/paged";
import { type Filter } from "@/components/jobs/filters";
import { CacheBadge, JobStatusBadge } from "@/components/jobs/status";
import { isOpen, type Job, jobPath, savedCents, shortId } from "@/components/jobs/words";
import { Paged } from "@/components/ui/paged";
import { Empty } from "@/components/ui/states";
import { type Column, Table } from "@/components/ui/table";
import { ago, money, UNKNOWN, when } from "@/lib/format";

const REFRESH_MS = 3000;

export function useJobs(filter: Filter) {
  return usePaged<Job>(
    ["jobs", filter.status, filter.class, filter.tag],
    (api, after) => api.GET("/v1/jobs", { params: { query: { ...filter, after, limit: 20 } } }),
    { refreshInterval: (pages) => (pages?.some((page) => page.data.some(isOpen)) ? REFRESH_MS : 0) },
  );
}

/** What came out, in one line. */
function outcome(job: Job): string {
  return job.error?.message ?? job.answer?.text ?? "";
}

const COLUMNS: readonly Column<Job>[] = [
  {
    name: "Job",
    cell: (job) => (
      <>
        <Link href={jobPath(job.id)} className="font-mono text-xs underline underline-offset-4">
          {shortId(job.id)}
        </Link>
        {job.tags && job.tags.length > 0 && (
          <span className="mt-0.5 block max-w-24 truncate text-xs text-muted-foreground sm:max-w-36">{job.tags.join(", ")}</span>
        )}
      </>
    ),
  },
  { name: "Status", cell: (job) => <JobStatusBadge job={job} /> },
  {
    name: "Outcome",
    wide: true,
    cell: (job) => <span className="block max-w-44 truncate text-muted-foreground">{outcome(job)}</span>,
  },
  {
    name: "Model",
    wide: true,
    cell: (job) => <span className="block max-w-36 truncate">{job.routing?.model ?? job.model}</span>,
  },
  { name: "Cache", wide: true, cell: (job) => (job.routing ? <CacheBadge routing={job.routing} /> : UNKNOWN) },
  { name: "Cost", number: true, wide: true, cell: (job) => money(job.routing?.cost_cents) },
  { name: "Saved", number: true, wide: true, cell: (job) => money(savedCents(job.routing)) },
  {
    name: "Submitted",
    cell: (job) => (
      <time dateTime={job.created_at} title={when(job.created_at)} className="whitespace-nowrap text-muted-foreground">
        {ago(job.created_at)}
      </time>
    ),
  },
];

export function JobList({ found, filtered }: { found: ReturnType<typeof useJobs>; filtered: boolean }) {
  const empty = filtered ? (
    <Empty title="No job is like that">Choose other filters.</Empty>
  ) : (
    <Empty title="No jobs yet">
      Try a prompt here, or make an <Link href="/keys/" className="underline underline-offset-4">API key</Link> and send one.
    </Empty>
  );
  return (
    <Paged found={found} empty={empty}>
      {(jobs) => <Table label="Jobs" columns={COLUMNS} rows={jobs} rowKey={(job) => job.id} />}
    </Paged>
  );
}
