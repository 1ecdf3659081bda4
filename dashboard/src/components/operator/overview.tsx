"use client";

import { useResource } from "@/api/hooks";
import type { components } from "@/api/schema";
import { usePermitted } from "@/auth/permitted";
import { Consoles } from "@/components/operator/consoles";
import { DeadLetters } from "@/components/operator/dead-letters";
import { Queues } from "@/components/operator/queues";
import { Workers } from "@/components/operator/workers";
import { Badge, type Tone } from "@/components/ui/badge";
import { Stat, Stats } from "@/components/ui/stat";
import { Loaded } from "@/components/ui/states";
import { count } from "@/lib/format";

type Found = components["schemas"]["OperatorOverview"];

const REFRESHED_MS = 5000;
const TONES: Record<Found["status"], Tone> = { ok: "good", degraded: "warning", down: "bad" };

export function Overview() {
  const found = useResource(["operator"], (api) => api.GET("/v1/operator/overview"), { refreshInterval: REFRESHED_MS });
  const mayRead = usePermitted("prompts:read");
  return (
    <>
      <Loaded found={found}>
        {(overview) => (
          <>
            <State overview={overview} />
            <Queues queues={overview.queues ?? []} />
            <Workers workers={overview.workers ?? []} />
            <Consoles overview={overview} />
          </>
        )}
      </Loaded>
      {mayRead && <DeadLetters />}
    </>
  );
}

const CAPPED = 10_000; // as far as the service counts

function State({ overview }: { overview: Found }) {
  const { status, checks, queues = [], dead_letters } = overview;
  const open = queues.reduce((sum, queue) => sum + queue.waiting + queue.admitted + queue.running + queue.held + queue.lane, 0);
  return (
    <Stats>
      <Stat name="State" value={<Badge tone={TONES[status]}>{status}</Badge>} hint={<Checks checks={checks} />} />
      <Stat name="Open jobs" value={capped(open)} />
      <Stat name="Dead letters" value={capped(dead_letters)} hint="of all tenants, not replayed" />
      <Stat name="Version" value={overview.version} hint="of this API process" />
    </Stats>
  );
}

const capped = (value: number | null): string => (value !== null && value >= CAPPED ? `${count(CAPPED)} or more` : count(value));

function Checks({ checks }: { checks: Found["checks"] }) {
  const wrong = Object.entries(checks).filter(([, said]) => said !== "ok");
  if (wrong.length === 0) return <>all checks are ok</>;
  return (
    <ul>
      {wrong.map(([name, said]) => (
        <li key={name} className="wrap-anywhere">
          {name}: {said}
        </li>
      ))}
    </ul>
  );
}
