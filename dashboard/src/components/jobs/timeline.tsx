"use client";

import { useResource } from "@/api/hooks";
import { eventsOf, since } from "@/components/jobs/events";
import { isOpen, type Job, OPEN_REFRESH_MS, whereabouts } from "@/components/jobs/words";
import { Badge } from "@/components/ui/badge";
import { Card } from "@/components/ui/card";
import { Loaded } from "@/components/ui/states";
import { milliseconds, when } from "@/lib/format";

/** Attempts are written when a job ends or is put back, so either is a reason to ask again. */
export function Timeline({ job }: { job: Job }) {
  const open = isOpen(job);
  const attempts = useResource(
    ["job-attempts", job.id, job.status, job.history.length],
    (api) => api.GET("/v1/jobs/{job_id}/attempts", { params: { path: { job_id: job.id } } }),
    { keepPreviousData: true, refreshInterval: open ? OPEN_REFRESH_MS : 0 },
  );
  return (
    <Card title="What happened">
      <Loaded found={attempts}>
        {(found) => (
          <ol className="ml-1.5 border-l">
            {eventsOf(job, found.data).map((event) => (
              <li key={event.key} className="relative pb-4 pl-5 last:pb-0">
                <span className="absolute top-1.5 -left-1.5 size-3 rounded-full border-2 border-card bg-primary" aria-hidden />
                <div className="flex flex-wrap items-center gap-x-2 gap-y-1">
                  <span className="text-sm font-medium wrap-anywhere">{event.title}</span>
                  {event.mark && <Badge tone={event.mark.tone}>{event.mark.name}</Badge>}
                </div>
                <p className="text-xs text-muted-foreground wrap-anywhere">
                  <time dateTime={event.at}>
                    {event.key === "submitted" ? when(event.at) : `+${milliseconds(since(job, event))}`}
                  </time>
                  {event.told.map((words, index) => (
                    <span key={index}> · {words}</span>
                  ))}
                </p>
              </li>
            ))}
            {open && (
              <li className="relative pl-5">
                <span className="absolute top-1.5 -left-1.5 size-3 animate-pulse rounded-full bg-warning" aria-hidden />
                <p className="text-sm text-muted-foreground">{whereabouts(job)}…</p>
              </li>
            )}
          </ol>
        )}
      </Loaded>
    </Card>
  );
}
