"use client";

import { useEffect, useState } from "react";
import type { Api } from "@/api/client";
import { eventsOf } from "@/api/events";
import { useResource } from "@/api/hooks";
import { useSession } from "@/auth/session";
import { isOpen, type Job, type JobStatus, OPEN_REFRESH_MS } from "@/components/jobs/words";

interface Followed {
  job: Job;
  text: string; // of the answer, so far
  error: Error | undefined;
}

interface Heard {
  job: Job | null; // once it has ended
  status: JobStatus | null; // until then
  text: string;
  broken: boolean; // nothing more comes
}

const NOTHING: Heard = { job: null, status: null, text: "", broken: false };

/** Each event of a job changes what was heard of it. */
function after(heard: Heard, name: string, data: unknown): Heard {
  if (name === "text") return { ...heard, text: heard.text + (data as { text: string }).text };
  if (name === "restarted") return { ...heard, text: "" };
  if (name === "status") return { ...heard, status: (data as { status: JobStatus }).status };
  return name === "job" ? { ...heard, job: data as Job } : heard;
}

async function listen(api: Api, id: string, signal: AbortSignal, tell: (change: (heard: Heard) => Heard) => void): Promise<void> {
  const { data } = await api.GET("/v1/jobs/{job_id}/events", { params: { path: { job_id: id } }, parseAs: "stream", signal });
  if (!data) return;
  for await (const event of eventsOf(data as ReadableStream<Uint8Array>)) tell((heard) => after(heard, event.name, event.data));
}

/** A job until it has ended, with its answer piece by piece where it was submitted so. Polled where that breaks off. */
export function useFollowed(submitted: Job): Followed {
  const { api } = useSession();
  const [heard, setHeard] = useState(NOTHING);
  const { id } = submitted;
  const open = isOpen(submitted);

  useEffect(() => {
    if (!open) return;
    const leaving = new AbortController();
    setHeard(NOTHING);
    listen(api, id, leaving.signal, setHeard)
      .catch((error: Error) => leaving.signal.aborted || console.warn("the events of a job broke off", error.message))
      .finally(() => leaving.signal.aborted || setHeard((last) => ({ ...last, broken: true })));
    return () => leaving.abort();
  }, [api, id, open]);

  const polled = useResource<Job>(
    open && heard.broken && !heard.job ? ["job-awaited", id] : null,
    () => api.GET("/v1/jobs/{job_id}", { params: { path: { job_id: id } } }),
    { refreshInterval: (job) => (job && isOpen(job) ? OPEN_REFRESH_MS : 0) },
  );
  const begun: Job = heard.status ? { ...submitted, status: heard.status, stage: null, admitted: null } : submitted;
  return { job: heard.job ?? polled.data ?? begun, text: heard.text, error: polled.error };
}
