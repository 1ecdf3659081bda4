/** What happened to a job, in its order. */

import { type Attempt, type Job, STATUSES } from "@/components/jobs/words";
import type { Tone } from "@/components/ui/badge";
import { count, milliseconds, money, when } from "@/lib/format";

export interface JobEvent {
  key: string;
  at: string;
  title: string;
  mark: { name: string; tone: Tone } | null;
  told: string[]; // sentences, figures
}

const KINDS: Record<Attempt["kind"], string> = {
  call: "Call",
  exact_hit: "Exact hit",
  semantic_hit: "Semantic hit",
  shared: "Shared answer",
  shadow: "Comparison: another model's answer, given to nobody",
  judge: "Comparison: a judge's call",
};

const OUTCOMES: Record<Attempt["outcome"], { name: string; tone: Tone }> = {
  ok: { name: "Answered", tone: "good" },
  retryable: { name: "Failed, another try may succeed", tone: "warning" },
  fatal: { name: "Refused", tone: "bad" },
  cancelled: { name: "Cancelled", tone: "warning" },
  lost: { name: "Lost with its worker", tone: "bad" },
};

function attempted(attempt: Attempt, index: number): JobEvent {
  const told = [milliseconds(attempt.latency_ms), attempt.cost_cents === null ? "cost unknown" : money(attempt.cost_cents)];
  if (attempt.input_tokens + attempt.output_tokens > 0) {
    told.push(`${count(attempt.input_tokens)} tokens in, ${count(attempt.output_tokens)} out`);
  }
  if (attempt.similarity !== null) told.push(`similarity ${attempt.similarity.toFixed(3)}`);
  if (attempt.batch) told.push("in a provider's batch");
  if (attempt.key_source === "tenant") told.push("with your own key");
  if (attempt.http_status !== null) told.push(`HTTP ${attempt.http_status}`);
  if (attempt.error) told.push(attempt.error);
  const title = `${KINDS[attempt.kind]} · ${attempt.provider} ${attempt.model}`;
  return { key: `attempt ${index}`, at: attempt.at, title, mark: OUTCOMES[attempt.outcome], told };
}

function putBack(entry: Job["history"][number], index: number): JobEvent {
  const told = entry.run_after ? [entry.message, `held until ${when(entry.run_after)}`] : [entry.message];
  return { key: `put back ${index}`, at: entry.at, title: "Put back into the queue", mark: { name: entry.reason, tone: "warning" }, told };
}

/** Where two are of one time, what is listed first here comes first; the end is last but for comparisons after it. */
export function eventsOf(job: Job, attempts: readonly Attempt[]): JobEvent[] {
  const events = [
    { key: "submitted", at: job.created_at, title: "Submitted", mark: null, told: [] },
    ...attempts.map(attempted),
    ...job.history.map(putBack),
  ];
  if (job.finished_at) {
    const told = job.error ? [job.error.message] : [];
    events.push({ key: "ended", at: job.finished_at, title: "Ended", mark: STATUSES[job.status], told });
  }
  return events.toSorted((one, other) => Date.parse(one.at) - Date.parse(other.at));
}

/** Milliseconds after the job was submitted. Clocks of two machines may make the first ones negative: never shown. */
export const since = (job: Job, event: JobEvent): number => Math.max(0, Date.parse(event.at) - Date.parse(job.created_at));
