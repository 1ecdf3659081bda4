"use client";

import { usePaged } from "@/api/paged";
import type { components } from "@/api/schema";
import { usePermitted } from "@/auth/permitted";
import { amount, limitWords, type Quota, scopeParts } from "@/components/budgets/words";
import { Badge, type Tone } from "@/components/ui/badge";
import { Card } from "@/components/ui/card";
import { Paged } from "@/components/ui/paged";
import { Empty } from "@/components/ui/states";
import { ago, money, when } from "@/lib/format";
import { useChanges } from "@/live/changes";

type Alert = components["schemas"]["AlertView"];

const KINDS: Record<Alert["kind"], readonly [name: string, tone: Tone]> = {
  "quota.threshold_reached": ["quota", "warning"],
  "spend.anomaly": ["unusual spend", "bad"],
  "price.unknown": ["unknown price", "warning"],
  "experiment.stopped": ["experiment", "neutral"],
  "experiment.arm_ended": ["experiment", "neutral"],
};

export function Alerts() {
  return usePermitted("usage:read") ? <AlertCard /> : null;
}

function AlertCard() {
  const found = usePaged<Alert>(["alerts"], (api, after) => api.GET("/v1/alerts", { params: { query: { after } } }));
  useChanges("alerts", found.mutate);
  return (
    <Card title="Alerts" hint="What was told about limits, unusual spend, unknown prices and experiments. Webhooks are sent them too.">
      <Paged found={found} empty={<Empty title="No alert">Limits are told of at 50, 80 and 100 % of a day or a month.</Empty>}>
        {(rows) => (
          <ul className="divide-y">
            {rows.map((alert) => (
              <li key={alert.id} className="flex flex-wrap items-baseline gap-x-3 gap-y-1 py-2.5 text-sm">
                <Badge tone={KINDS[alert.kind][1]}>{KINDS[alert.kind][0]}</Badge>
                <span className="min-w-0 flex-1 basis-64 wrap-anywhere">{words(alert)}</span>
                <time dateTime={alert.created_at} title={when(alert.created_at)} className="text-xs text-muted-foreground">
                  {ago(alert.created_at)}
                </time>
              </li>
            ))}
          </ul>
        )}
      </Paged>
    </Card>
  );
}

/** The figures of an alert as a sentence. What it lacks is left out: an older one may know less. */
function words({ kind, detail }: Alert): string {
  const told = (name: string): string => (detail[name] == null ? "" : String(detail[name]));
  switch (kind) {
    case "quota.threshold_reached":
      return `${told("threshold_percent")} % of ${quotaWords(told)}: ${amount(told("used"), told("unit") as Quota["unit"])} used`;
    case "spend.anomaly":
      return `${money(told("spent_cents"))} spent in the hour of ${when(told("hour"))}. ${told("explanation")}`;
    case "price.unknown":
      return `${told("provider")} ${told("model")}: ${told("explanation")}`;
    case "experiment.stopped":
      return `${told("name")} was stopped: ${told("because")}`;
    case "experiment.arm_ended":
      return `${told("name")}: the arm ${told("arm")} has ended: ${told("because")}`;
  }
}

function quotaWords(told: (name: string) => string): string {
  const { kind, of } = scopeParts(told("scope"));
  const limit = limitWords({ limit: told("limit"), unit: told("unit") as Quota["unit"], period: told("period") as Quota["period"] });
  return kind === "tenant" ? limit : `${limit} of the ${kind} ${of}`;
}
