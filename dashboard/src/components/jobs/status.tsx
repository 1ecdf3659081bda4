import { CACHE_STATES, type Job, type Routing, STATUSES } from "@/components/jobs/words";
import { Badge } from "@/components/ui/badge";

export function JobStatusBadge({ job }: { job: Job }) {
  const { name, tone } = STATUSES[job.status];
  return <Badge tone={tone}>{name}</Badge>;
}

export function CacheBadge({ routing }: { routing: Routing }) {
  const { name, tone } = CACHE_STATES[routing.cache];
  return <Badge tone={tone}>{name}</Badge>;
}
