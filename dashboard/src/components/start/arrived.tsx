import { CircleCheck, LoaderCircle } from "lucide-react";
import Link from "next/link";
import type { components } from "@/api/schema";
import { isOpen, type Job, jobPath } from "@/components/jobs/words";
import { buttonStyle } from "@/components/ui/button";
import { classes } from "@/lib/classes";
import { ago, money } from "@/lib/format";

/** Changes by itself when the request comes, and when it is answered. */
export function Arrived({ job }: { job: Job | null }) {
  return (
    <div role="status" className="flex items-start gap-3 rounded-md border bg-muted/60 p-3">
      {job === null || isOpen(job) ? (
        <LoaderCircle className="mt-0.5 size-4 shrink-0 animate-spin text-muted-foreground" aria-hidden />
      ) : (
        <CircleCheck className="mt-0.5 size-4 shrink-0 text-success" aria-hidden />
      )}
      {job === null ? (
        <span>Waiting for your first request. This line changes when it comes.</span>
      ) : (
        <div>
          <p>
            <strong>A request has arrived</strong>, {ago(job.created_at)}. {outcome(job)}
          </p>
          <Link href={jobPath(job.id)} className={classes(buttonStyle({ look: "link" }), "h-auto px-0")}>
            See how it was answered
          </Link>
        </div>
      )}
    </div>
  );
}

const WITHOUT_A_CALL: Partial<Record<components["schemas"]["CacheState"], string>> = {
  exact: "from the cache, word for word",
  semantic: "from the cache, by meaning",
  shared: "by a call that was under way already",
};

function outcome(job: Job): string {
  if (isOpen(job)) return "It is being answered.";
  if (!job.routing || job.status !== "completed") return `It is ${job.status}.`;
  const { cache, provider, model, cost_cents } = job.routing;
  return `It was answered ${WITHOUT_A_CALL[cache] ?? `by ${provider}/${model}`}, for ${money(cost_cents)}.`;
}
