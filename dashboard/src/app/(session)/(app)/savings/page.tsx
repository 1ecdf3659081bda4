"use client";

import { useState } from "react";
import { useResource } from "@/api/hooks";
import { Period, USUAL_DAYS } from "@/components/period";
import { AgainstHoldout } from "@/components/savings/holdout";
import { Headline } from "@/components/savings/headline";
import { ByLever } from "@/components/savings/levers";
import { AgainstPriceList, RoutingCost } from "@/components/savings/price-list";
import { PageTitle } from "@/components/shell/frame";
import { Loaded } from "@/components/ui/states";

const BOOKING_MS = 5000; // how often figures are asked for anew while something is about to be booked

export default function SavingsPage() {
  const [days, setDays] = useState(USUAL_DAYS);
  const savings = useResource(["savings", days], (api) => api.GET("/v1/savings", { params: { query: { days } } }), {
    keepPreviousData: true,
    refreshInterval: (found) => (found?.pending_events ? BOOKING_MS : 0),
  });
  return (
    <>
      <PageTitle title="Savings" actions={<Period days={days} onDays={setDays} />}>
        What was saved, found in two ways: one is measured, the other estimated. Both are less what finding it cost.
      </PageTitle>
      <Loaded found={savings}>
        {(found) => (
          <>
            <Headline found={found} />
            <AgainstHoldout holdout={found.holdout} />
            <AgainstPriceList found={found.price_list} />
            <ByLever days={days} estimated={Number(found.price_list.saved_cents)} />
            <RoutingCost found={found.routing_cost} />
          </>
        )}
      </Loaded>
    </>
  );
}
