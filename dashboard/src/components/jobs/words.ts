import type { components } from "@/api/schema";
import type { Tone } from "@/components/ui/badge";

type Schemas = components["schemas"];
export type Job = Schemas["JobView"];
export type Routing = Schemas["RoutingReport"];
export type Attempt = Schemas["JobAttemptView"];
export type Asked = Schemas["AskedView"];
export type JobStatus = Schemas["JobStatus"];
export type JobClass = Schemas["JobClass"];

export const OPEN_REFRESH_MS = 2000;

export const STATUSES: Record<JobStatus, { name: string; tone: Tone }> = {
  queued: { name: "Queued", tone: "neutral" },
  in_progress: { name: "In progress", tone: "accent" },
  completed: { name: "Completed", tone: "good" },
  incomplete: { name: "Incomplete", tone: "warning" },
  failed: { name: "Failed", tone: "bad" },
  expired: { name: "Expired", tone: "bad" },
  cancelled: { name: "Cancelled", tone: "warning" },
};

export const CLASSES: Record<JobClass, string> = {
  interactive: "Interactive: a person waits",
  standard: "Standard: a program waits",
  batch: "Batch: nobody waits",
};

const STAGES: Record<Schemas["Stage"], string> = {
  embed: "Looking into the cache",
  await: "Waiting for the answer to much the same question",
  route: "Being answered by a model",
  lane: "In a provider's batch",
  follow: "Waiting for the answer to the same question",
};

export const CACHE_STATES: Record<Schemas["CacheState"], { name: string; told: string; tone: Tone }> = {
  miss: { name: "Miss", told: "No kept answer served it", tone: "neutral" },
  exact: { name: "Exact hit", told: "The kept answer to the same request", tone: "good" },
  semantic: { name: "Semantic hit", told: "The kept answer to a question of the same meaning", tone: "good" },
  shared: { name: "Shared", told: "The answer of another job's call, which asked the same at the same time", tone: "good" },
  bypass: { name: "Not asked", told: "The cache was not asked", tone: "neutral" },
};

export const isOpen = (job: Job): boolean => job.status === "queued" || job.status === "in_progress";
export const isDead = (job: Job): boolean => job.status === "failed" || job.status === "expired";

/** Where an open job is. */
export function whereabouts(job: Job): string {
  if (job.admitted === false) return "Waiting for its turn among all tenants";
  return job.stage ? STAGES[job.stage] : STATUSES[job.status].name;
}

/** The end of an id tells jobs apart; its beginning is the time. */
export const shortId = (id: string): string => id.slice(-12);
export const jobPath = (id: string): string => `/jobs/detail/?id=${encodeURIComponent(id)}`;

/** US cents less than at the baseline's price; null where either is unknown. */
export function savedCents(routing: Routing | null | undefined): number | null {
  if (!routing || routing.cost_cents == null || routing.baseline_cost_cents == null) return null;
  return Number(routing.baseline_cost_cents) - Number(routing.cost_cents);
}
