"use client";

import { useRouter } from "next/navigation";
import { useState, useTransition } from "react";
import type { Api } from "@/api/client";
import { useAction } from "@/api/hooks";
import { usePermitted } from "@/auth/permitted";
import { isDead, isOpen, type Job, jobPath } from "@/components/jobs/words";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/dialog";

const cancel = (api: Api, id: string) => api.POST("/v1/jobs/{job_id}/cancel", { params: { path: { job_id: id } } });
const replay = (api: Api, id: string) => api.POST("/v1/jobs/{job_id}/replay", { params: { path: { job_id: id } } });

/** What may still be done about a job. */
export function JobActions({ job, onChange }: { job: Job; onChange: () => void }) {
  const mayWrite = usePermitted("prompts:write");
  if (!mayWrite) return null;
  if (isOpen(job)) return <Cancel job={job} onChange={onChange} />;
  if (isDead(job) && !job.replayed_as) return <Replay job={job} />;
  return null;
}

function Cancel({ job, onChange }: { job: Job; onChange: () => void }) {
  const [asking, setAsking] = useState(false);
  const { run, busy } = useAction(cancel);
  const confirmed = async () => {
    await run(job.id);
    setAsking(false);
    onChange(); // it may have ended meanwhile
  };
  return (
    <>
      <Button look="danger" onClick={() => setAsking(true)}>
        Cancel job
      </Button>
      <Confirm
        open={asking}
        onOpenChange={setAsking}
        title="Cancel this job?"
        hint="A call that is under way is broken off. What it has cost so far stays booked."
        action="Cancel job"
        busy={busy}
        onConfirm={confirmed}
      />
    </>
  );
}

function Replay({ job }: { job: Job }) {
  const router = useRouter();
  const { run, busy } = useAction(replay);
  const [going, go] = useTransition(); // until the other job is there: a second click would replay it again
  const start = async () => {
    const found = await run(job.id);
    if (found) go(() => router.push(jobPath(found.data.id)));
  };
  return (
    <Button look="primary" busy={busy || going} onClick={start}>
      Replay
    </Button>
  );
}
