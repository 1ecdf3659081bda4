"use client";

import { useResource } from "@/api/hooks";
import { ExperimentActions } from "@/components/experiments/actions";
import { Arms } from "@/components/experiments/arms";
import { Intervals } from "@/components/experiments/intervals";
import { ExperimentBadge } from "@/components/experiments/list";
import { PlanCard } from "@/components/experiments/plan";
import { Split } from "@/components/experiments/split";
import { type Experiment, type Metric, METRICS, type Results, RUNNING_REFRESH_MS } from "@/components/experiments/words";
import { PageTitle } from "@/components/shell/frame";
import { Card } from "@/components/ui/card";
import { Loaded } from "@/components/ui/states";

export function ExperimentDetail({ experiment, onChange }: { experiment: Experiment; onChange: () => void }) {
  return (
    <>
      <div className="wrap-anywhere">
        <PageTitle title={experiment.name} actions={<ExperimentActions experiment={experiment} onChange={onChange} />}>
          {experiment.description}
        </PageTitle>
      </div>
      <p role="status" className="-mt-2 flex flex-wrap items-center gap-2 text-sm text-muted-foreground">
        <ExperimentBadge experiment={experiment} />
        {experiment.stopped_because}
      </p>
      {experiment.status === "draft" ? (
        <Arms experiment={experiment} results={undefined} />
      ) : (
        <Standing experiment={experiment} />
      )}
      <PlanCard experiment={experiment} />
    </>
  );
}

/** How a started experiment stands. */
function Standing({ experiment }: { experiment: Experiment }) {
  const results = useResource(
    ["experiment-results", experiment.id, experiment.status],
    (api) => api.GET("/v1/experiments/{experiment_id}/results", { params: { path: { experiment_id: experiment.id } } }),
    { keepPreviousData: true, refreshInterval: experiment.status === "running" ? RUNNING_REFRESH_MS : 0 },
  );
  return (
    <Loaded found={results}>
      {(found) => (
        <>
          {metricsOf(experiment, found).map((metric) => (
            <Intervals
              key={metric}
              metric={metric}
              comparisons={found.comparisons.filter((one) => one.metric === metric)}
              minimumEffect={metric === experiment.plan.primary ? experiment.plan.minimum_effect : 0}
            />
          ))}
          <Arms experiment={experiment} results={found} />
          <Split split={found.split} />
          {found.notes.length > 0 && (
            <Card title="Keep in mind">
              <ul className="list-disc space-y-1 pl-5 text-sm">
                {found.notes.map((note) => (
                  <li key={note}>{note}</li>
                ))}
              </ul>
            </Card>
          )}
        </>
      )}
    </Loaded>
  );
}

/** That which the experiment is about first. */
function metricsOf(experiment: Experiment, results: Results): Metric[] {
  const compared = new Set(results.comparisons.map(({ metric }) => metric));
  const primary = experiment.plan.primary;
  const others = (Object.keys(METRICS) as Metric[]).filter((metric) => metric !== primary);
  return [primary, ...others].filter((metric) => compared.has(metric));
}
