"use client";

import { ThumbsDown, ThumbsUp } from "lucide-react";
import { toast } from "sonner";
import type { Api } from "@/api/client";
import { useAction, useResource } from "@/api/hooks";
import { usePermitted } from "@/auth/permitted";
import type { Job } from "@/components/jobs/words";
import { Button } from "@/components/ui/button";
import { percent } from "@/lib/format";

type Thumb = "up" | "down";

const give = (api: Api, id: string, thumb: Thumb) => api.POST("/v1/feedback", { body: { job_id: id, thumb } });
const WORTH: Record<Thumb, number> = { up: 1, down: 0 };
const NOTHING_SAID = 404;

/** Whether the answer was good: what routing and the cache learn from. */
export function Feedback({ job }: { job: Job }) {
  const mayWrite = usePermitted("prompts:write");
  const kept = useResource(["feedback", job.id], (api) =>
    api.GET("/v1/feedback/{job_id}", { params: { path: { job_id: job.id } } }),
  );
  const { run, busy } = useAction(give);
  const say = async (thumb: Thumb) => {
    const found = await run(job.id, thumb);
    if (!found) return;
    toast.success("Thank you. Routing and the cache learn from it.");
    await kept.mutate(found.data, { revalidate: false });
  };
  if (kept.error && kept.error.status !== NOTHING_SAID) {
    return <p className="text-sm text-muted-foreground">{kept.error.message}</p>;
  }
  const score = kept.data?.score;
  return (
    <div className="flex flex-wrap items-center gap-2">
      <p className="text-sm text-muted-foreground">{told(score, kept.data?.comment, mayWrite)}</p>
      {mayWrite && (
        <div role="group" aria-label="Judge the answer" className="flex gap-1">
          <Button size="small" aria-label="Good answer" aria-pressed={score === WORTH.up} busy={busy} onClick={() => say("up")}>
            <ThumbsUp aria-hidden className={score === WORTH.up ? "text-success" : undefined} />
          </Button>
          <Button size="small" aria-label="Bad answer" aria-pressed={score === WORTH.down} busy={busy} onClick={() => say("down")}>
            <ThumbsDown aria-hidden className={score === WORTH.down ? "text-danger" : undefined} />
          </Button>
        </div>
      )}
    </div>
  );
}

function told(score: number | undefined, comment: string | null | undefined, mayWrite: boolean): string {
  if (score === undefined) return mayWrite ? "Was it a good answer?" : "Nobody has judged it.";
  const judged = score === WORTH.up ? "Judged good" : score === WORTH.down ? "Judged bad" : `Judged ${percent(score)}`;
  return comment ? `${judged}: ${comment}` : `${judged}.`;
}
