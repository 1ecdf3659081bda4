import Link from "next/link";
import { experimentPath } from "@/components/experiments/words";
import { CacheBadge } from "@/components/jobs/status";
import { CACHE_STATES, type Routing, savedCents } from "@/components/jobs/words";
import { Badge } from "@/components/ui/badge";
import { Card } from "@/components/ui/card";
import { Facts } from "@/components/ui/facts";
import { count, money, percent } from "@/lib/format";

const VERIFIED: Record<NonNullable<Routing["verified"]>, string> = {
  passed: "The cheap model's draft passed the check",
  escalated: "The cheap model's draft did not pass, and a better model answered",
  kept: "The cheap model's draft did not pass, and was kept",
};

const HOLDOUT = "holdout";
const share = (value: number | null | undefined) => (value == null ? undefined : percent(value));
const decimal = (value: number | null | undefined) => (value == null ? undefined : value.toFixed(3));
const said = (value: string | null | undefined) => value ?? undefined;

/** `<experiment>:<arm>`, or the holdout's. */
function Arm({ name }: { name: string }) {
  const [experiment, arm] = [name.slice(0, 36), name.slice(37)];
  if (!arm || name.startsWith(HOLDOUT)) return <>{name}</>;
  return (
    <Link href={experimentPath(experiment)} className="underline underline-offset-4">
      {arm}
    </Link>
  );
}

function Saved({ routing }: { routing: Routing }) {
  const saved = savedCents(routing);
  if (saved === null) return <>{money(null)}</>;
  const baseline = Number(routing.baseline_cost_cents);
  return (
    <>
      {money(saved)}
      {baseline > 0 && ` (${percent(saved / baseline)})`}
    </>
  );
}

/** Why this answer, from there, at that cost. */
export function RoutingCard({ routing }: { routing: Routing }) {
  return (
    <Card title="How it was answered" hint={CACHE_STATES[routing.cache].told} actions={<CacheBadge routing={routing} />}>
      <div className="grid gap-5">
        <Facts
          facts={[
            ["Model", routing.model],
            ["Provider", routing.lane === "batch" ? `${routing.provider}, in its batch lane` : routing.provider],
            ["Strategy", routing.strategy],
            ["Cost", money(routing.cost_cents)],
            [routing.baseline_model ? `Baseline: ${routing.baseline_model}` : "Baseline", money(routing.baseline_cost_cents)],
            ["Saved", <Saved key="saved" routing={routing} />],
            ["Confidence", said(routing.confidence)],
            ["Score", decimal(routing.score)],
            ["Taken for", said(routing.task)],
            ["Similarity", decimal(routing.similarity)],
            ["Probability that it serves", share(routing.cache_score)],
            ["Bound of the error per hit", share(routing.error_bound)],
            ["Allowed error per hit", share(routing.error_target)],
            ["Judged samples behind the bound", routing.judged == null ? undefined : count(routing.judged)],
            ["Draft", routing.verified ? VERIFIED[routing.verified] : undefined],
            ["Attempts", count(routing.attempts)],
          ]}
        />
        {routing.reasons.length > 0 && (
          <div>
            <h3 className="text-xs font-medium text-muted-foreground">Reasons</h3>
            <ul className="mt-1 list-disc space-y-0.5 pl-5 text-sm wrap-anywhere">
              {routing.reasons.map((reason, index) => (
                <li key={index}>{reason}</li>
              ))}
            </ul>
          </div>
        )}
        {routing.arms.length > 0 && (
          <div>
            <h3 className="text-xs font-medium text-muted-foreground">Drawn into</h3>
            <ul className="mt-1 flex flex-wrap gap-2">
              {routing.arms.map((arm) => (
                <li key={arm}>
                  <Badge>
                    <Arm name={arm} />
                  </Badge>
                </li>
              ))}
            </ul>
          </div>
        )}
      </div>
    </Card>
  );
}
