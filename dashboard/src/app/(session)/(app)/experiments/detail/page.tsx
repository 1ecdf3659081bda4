"use client";

import { useSearchParams } from "next/navigation";
import { Suspense } from "react";
import { useResource } from "@/api/hooks";
import { ExperimentDetail } from "@/components/experiments/detail";
import { type Experiment, RUNNING_REFRESH_MS } from "@/components/experiments/words";
import { Back } from "@/components/ui/back";
import { Empty, Loaded, Loading } from "@/components/ui/states";
import { useChanges } from "@/live/changes";

function Detail() {
  const id = useSearchParams().get("id");
  const experiment = useResource<Experiment>(
    id ? ["experiment", id] : null,
    (api) => api.GET("/v1/experiments/{experiment_id}", { params: { path: { experiment_id: id ?? "" } } }),
    { refreshInterval: (found) => (found?.status === "running" ? RUNNING_REFRESH_MS : 0) },
  );
  const refresh = () => void experiment.mutate();
  useChanges("experiments", refresh);
  return (
    <>
      <Back href="/experiments/">Experiments</Back>
      {id ? (
        <Loaded found={experiment}>
          {(found) => <ExperimentDetail experiment={found} onChange={refresh} />}
        </Loaded>
      ) : (
        <Empty title="No experiment was named">Choose one from the list.</Empty>
      )}
    </>
  );
}

export default function ExperimentPage() {
  return (
    <Suspense fallback={<Loading />}>
      <Detail />
    </Suspense>
  );
}
