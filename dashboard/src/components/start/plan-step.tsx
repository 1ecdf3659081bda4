"use client";

import { useEffect, useState } from "react";
import type { Api } from "@/api/client";
import { useAction, useResource } from "@/api/hooks";
import type { components } from "@/api/schema";
import { type Membership, useSession } from "@/auth/session";
import { Step } from "@/components/start/step";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Loaded } from "@/components/ui/states";
import { compact, money } from "@/lib/format";
import { leave } from "@/lib/leave";

type Billing = components["schemas"]["BillingView"];
type Sold = components["schemas"]["CheckoutRequest"]["plan"];

const SOLD: readonly (readonly [Sold, string])[] = [
  ["pro", "Pro"],
  ["business", "Business"],
];
const PAID = "paid";
const LOOK_AGAIN_MS = 3000;

export function PlanStep() {
  const { tenant } = useSession();
  if (!tenant) return null;
  return tenant.permissions.includes("billing:write") ? <OwnersPlan /> : <OthersPlan tenant={tenant} />;
}

/** Billing is the owners'; everybody knows the plan. */
function OthersPlan({ tenant }: { tenant: Membership }) {
  return (
    <Step number={1} title="Plan" done>
      <p>
        <PlanName plan={tenant.plan} /> Owners see and change what is subscribed to.
      </p>
    </Step>
  );
}

function OwnersPlan() {
  const [paid, setPaid] = useState(false);
  useEffect(() => setPaid(new URLSearchParams(window.location.search).has(PAID)), []);
  const billing = useResource(["billing"], (api) => api.GET("/v1/billing"), {
    refreshInterval: (found) => (paid && !found?.subscription ? LOOK_AGAIN_MS : 0),
  });
  const waiting = paid && billing.data?.subscription === null;
  return (
    <Step number={1} title="Plan" done={billing.data !== undefined && !waiting}>
      <Loaded found={billing}>
        {(found) => (
          <>
            <p>
              <PlanName plan={found.plan} /> {usage(found)}
            </p>
            {waiting && (
              <p role="status">
                The payment page is done with. The plan changes as soon as Stripe says that it is paid.
              </p>
            )}
            {found.enabled && !found.subscription && !waiting && found.plan !== "enterprise" && <Offers />}
          </>
        )}
      </Loaded>
    </Step>
  );
}

function PlanName({ plan }: { plan: Membership["plan"] }) {
  if (!plan) return <>No plan limits what you may use here.</>;
  return (
    <>
      Yours is <Badge tone="accent">{plan}</Badge>.
    </>
  );
}

function usage({ usage }: Billing): string {
  const granted = usage.monthly_tokens === null ? "" : ` of ${compact(usage.monthly_tokens)}`;
  return `This month: ${compact(usage.tokens)}${granted} tokens, ${money(usage.cost_cents)}.`;
}

const open = (api: Api, plan: Sold) => {
  const here = window.location.origin + window.location.pathname;
  return api.POST("/v1/billing/checkout", { body: { plan, success_url: `${here}?${PAID}=1`, cancel_url: here } });
};

function Offers() {
  const { run, busy } = useAction(open);
  const choose = async (plan: Sold) => {
    const page = await run(plan);
    if (page) leave(page.data.url);
  };
  return (
    <div className="flex flex-wrap items-center gap-2">
      {SOLD.map(([plan, name]) => (
        <Button key={plan} busy={busy} onClick={() => choose(plan)}>
          Subscribe to {name}
        </Button>
      ))}
      <span className="text-muted-foreground">or go on as you are. Stripe shows the price before you pay.</span>
    </div>
  );
}
