"use client";

import { useState } from "react";
import type { Api } from "@/api/client";
import { useAction } from "@/api/hooks";
import { type Batch, mayBeCancelled } from "@/components/batches/words";
import { usePermitted } from "@/auth/permitted";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/dialog";

const cancel = (api: Api, id: string) => api.POST("/v1/batches/{batch_id}/cancel", { params: { path: { batch_id: id } } });

export function CancelBatch({ batch, onChange }: { batch: Batch; onChange: () => void }) {
  const [asking, setAsking] = useState(false);
  const { run, busy } = useAction(cancel);
  if (!usePermitted("prompts:write") || !mayBeCancelled(batch)) return null;
  const confirmed = async () => {
    await run(batch.id);
    setAsking(false);
    onChange(); // it may have ended meanwhile
  };
  return (
    <>
      <Button look="danger" onClick={() => setAsking(true)}>
        Cancel batch
      </Button>
      <Confirm
        open={asking}
        onOpenChange={setAsking}
        title="Cancel this batch?"
        hint="What has been answered stays, and is written into its file. What is open of it ends."
        action="Cancel batch"
        busy={busy}
        onConfirm={confirmed}
      />
    </>
  );
}
