"use client";

import { useSearchParams } from "next/navigation";
import { Suspense } from "react";
import { useResource } from "@/api/hooks";
import { JobDetail } from "@/components/jobs/detail";
import { isOpen, type Job, OPEN_REFRESH_MS } from "@/components/jobs/words";
import { Back } from "@/components/ui/back";
import { Empty, Loaded, Loading } from "@/components/ui/states";

function Detail() {
  const id = useSearchParams().get("id");
  const job = useResource<Job>(
    id ? ["job", id] : null,
    (api) => api.GET("/v1/jobs/{job_id}", { params: { path: { job_id: id ?? "" } } }),
    { refreshInterval: (found) => (found && isOpen(found) ? OPEN_REFRESH_MS : 0) },
  );
  return (
    <>
      <Back href="/jobs/">Jobs</Back>
      {id ? (
        <Loaded found={job}>{(found) => <JobDetail key={found.id} job={found} onChange={() => job.mutate()} />}</Loaded>
      ) : (
        <Empty title="No job was named">Choose one from the list.</Empty>
      )}
    </>
  );
}

export default function JobPage() {
  return (
    <Suspense fallback={<Loading />}>
      <Detail />
    </Suspense>
  );
}
