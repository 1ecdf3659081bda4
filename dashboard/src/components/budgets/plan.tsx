"use client";

import type { Api } from "@/api/client";
import { useAction, useResource } from "@/api/hooks";
import type { components } from "@/api/schema";
import { usePermitted } from "@/auth/permitted";
import { useSession } from "@/auth/session";
import { Badge } from "@/components/ui/badge";
import { Bar } from "@/components/ui/bar";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { Facts } from "@/components/ui/facts";
import { Loaded } from "@/components/ui/states";
import { count, money, onDay, percent } from "@/lib/format";
import { leave } from "@/lib/leave";

type Billing = components["schemas"]["BillingView"];
type PaidPlan = components["schemas"]["CheckoutRequest"]["plan"];

/** Billing is its owners' business; others see which plan holds. */
export function Plan() {
  const { tenant } = useSession();
  if (usePermitted("billing:write")) return <BillingCard />;
  return (
    <Card title="Plan" hint="Owners see the subscription and change it.">
      <p className="text-sm">
        <PlanName plan={tenant?.plan ?? null} />
      </p>
    </Card>
  );
}

function BillingCard() {
  const found = useResource(["billing"], (api) => api.GET("/v1/billing"));
  return (
    <Card title="Plan and billing">
      <Loaded found={found}>
        {(billing) => (
          <div className="grid gap-5">
            <Facts
              facts={[
                ["Plan", <PlanName key="plan" plan={billing.plan} />],
                ["Subscription", <SubscriptionWords key="subscription" subscription={billing.subscription} />],
                ["Used this month", <Used key="used" usage={billing.usage} />],
                ["Our share of savings", <Share key="share" share={billing.share} />],
              ]}
            />
            <Pay billing={billing} />
          </div>
        )}
      </Loaded>
    </Card>
  );
}

function PlanName({ plan }: { plan: Billing["plan"] }) {
  return plan ? <Badge tone="accent">{plan}</Badge> : <>None, and none of its limits.</>;
}

function SubscriptionWords({ subscription }: { subscription: Billing["subscription"] }) {
  if (!subscription) return <>None</>;
  const { status, period_end, cancel_at_period_end, overdue_since } = subscription;
  return (
    <>
      {status.replaceAll("_", " ")}
      {period_end && `, ${cancel_at_period_end ? "ends" : "renews"} on ${onDay(period_end)}`}
      {overdue_since && <span className="text-danger">, unpaid since {onDay(overdue_since)}</span>}
    </>
  );
}

function Used({ usage: { tokens, monthly_tokens, cost_cents } }: { usage: Billing["usage"] }) {
  const told = monthly_tokens === null ? `${count(tokens)} tokens` : `${count(tokens)} of ${count(monthly_tokens)} tokens`;
  return (
    <div className="grid max-w-md gap-2">
      <span>
        {told}, {money(cost_cents)} at providers
      </span>
      {monthly_tokens !== null && (
        <Bar name="Tokens of the plan" told={told} full={monthly_tokens > 0 ? tokens / monthly_tokens : 1} />
      )}
    </div>
  );
}

function Share({ share }: { share: Billing["share"] }) {
  const basis = share.method === "holdout" ? "measured against the holdout" : "against the baseline's list price";
  return (
    <>
      {money(share.amount_cents)}: {percent(Number(share.share_rate))} of {money(share.savings_cents)} saved in {share.month}, {basis}
      {!share.final && ", so far"}
    </>
  );
}

const checkout = (api: Api, plan: PaidPlan, here: string) =>
  api.POST("/v1/billing/checkout", { body: { plan, success_url: here, cancel_url: here } });
const portal = (api: Api, here: string) => api.POST("/v1/billing/portal", { body: { return_url: here } });
const PAID: readonly (readonly [PaidPlan, string])[] = [
  ["pro", "Subscribe to Pro"],
  ["business", "Subscribe to Business"],
];

function Pay({ billing }: { billing: Billing }) {
  const buying = useAction(checkout);
  const managing = useAction(portal);
  if (!billing.enabled) return <p className="text-sm text-muted-foreground">This service takes no payment: plans are the operator's to set.</p>;
  const here = () => window.location.origin + window.location.pathname;
  const go = async (asked: Promise<{ data: { url: string } } | undefined>) => {
    const page = await asked;
    if (page) leave(page.data.url);
  };
  return (
    <div className="grid gap-2">
      <div className="flex flex-wrap gap-2">
        {billing.subscription ? (
          <Button busy={managing.busy} onClick={() => go(managing.run(here()))}>
            Manage the subscription
          </Button>
        ) : (
          PAID.map(([plan, label]) => (
            <Button key={plan} busy={buying.busy} onClick={() => go(buying.run(plan, here()))}>
              {label}
            </Button>
          ))
        )}
      </div>
      <p className="text-sm text-muted-foreground">This leads to a page of Stripe's. The plan changes when Stripe says that it is paid.</p>
    </div>
  );
}
