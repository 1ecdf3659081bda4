"use client";

import { useSearchParams } from "next/navigation";
import { Suspense } from "react";
import { useResource } from "@/api/hooks";
import { BatchDetail } from "@/components/batches/detail";
import { type Batch, isOpen, OPEN_REFRESH_MS } from "@/components/batches/words";
import { Back } from "@/components/ui/back";
import { Empty, Loaded, Loading } from "@/components/ui/states";
import { useChanges } from "@/live/changes";

function Detail() {
  const id = useSearchParams().get("id");
  const batch = useResource<Batch>(
    id ? ["batch", id] : null,
    (api) => api.GET("/v1/batches/{batch_id}", { params: { path: { batch_id: id ?? "" } } }),
    { refreshInterval: (found) => (found && isOpen(found) ? OPEN_REFRESH_MS : 0) },
  );
  const refresh = () => void batch.mutate();
  useChanges("batches", refresh);
  return (
    <>
      <Back href="/batches/">Batches</Back>
      {id ? (
        <Loaded found={batch}>{(found) => <BatchDetail batch={found} onChange={refresh} />}</Loaded>
      ) : (
        <Empty title="No batch was named">Choose one from the list.</Empty>
      )}
    </>
  );
}

export default function BatchPage() {
  return (
    <Suspense fallback={<Loading />}>
      <Detail />
    </Suspense>
  );
}
