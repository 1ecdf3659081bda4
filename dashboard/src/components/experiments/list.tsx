"use client";

import Link from "next/link";
import { usePaged } from "@/api/paged";
import { type Experiment, experimentPath, METRICS, RUNNING_REFRESH_MS, STATUSES } from "@/components/experiments/words";
import { Badge } from "@/components/ui/badge";
import { Paged } from "@/components/ui/paged";
import { Empty } from "@/components/ui/states";
import { type Column, Table } from "@/components/ui/table";
import { ago, when } from "@/lib/format";

export function useExperiments() {
  return usePaged<Experiment>(
    ["experiments"],
    (api, after) => api.GET("/v1/experiments", { params: { query: { after, limit: 20 } } }),
    { refreshInterval: (pages) => (pages?.some((page) => page.data.some(isRunning)) ? RUNNING_REFRESH_MS : 0) },
  );
}

const isRunning = (experiment: Experiment): boolean => experiment.status === "running";

export function ExperimentBadge({ experiment }: { experiment: Experiment }) {
  const { name, tone } = STATUSES[experiment.status];
  return <Badge tone={tone}>{name}</Badge>;
}

const COLUMNS: readonly Column<Experiment>[] = [
  {
    name: "Experiment",
    cell: (experiment) => (
      <Link href={experimentPath(experiment.id)} className="underline underline-offset-4">
        <span className="block max-w-40 truncate sm:max-w-80">{experiment.name}</span>
      </Link>
    ),
  },
  { name: "Status", cell: (experiment) => <ExperimentBadge experiment={experiment} /> },
  {
    name: "Arms",
    wide: true,
    cell: (experiment) => (
      <span className="block max-w-60 truncate text-muted-foreground">{experiment.arms.map((arm) => arm.name).join(", ")}</span>
    ),
  },
  { name: "About", wide: true, cell: (experiment) => METRICS[experiment.plan.primary] },
  {
    name: "Started",
    wide: true,
    cell: (experiment) => (
      <span title={when(experiment.started_at)} className="whitespace-nowrap text-muted-foreground">
        {ago(experiment.started_at)}
      </span>
    ),
  },
];

export function ExperimentList({ found }: { found: ReturnType<typeof useExperiments> }) {
  return (
    <Paged
      found={found}
      empty={
        <Empty title="No experiments yet">
          Draft one to learn whether another model, strategy or cache mode costs less and is as good.
        </Empty>
      }
    >
      {(experiments) => <Table label="Experiments" columns={COLUMNS} rows={experiments} rowKey={(one) => one.id} />}
    </Paged>
  );
}
