"use client";

import { useResource } from "@/api/hooks";
import { PageTitle } from "@/components/shell/frame";
import { Stat, Stats } from "@/components/ui/stat";
import { Loaded } from "@/components/ui/states";
import { money } from "@/lib/format";

export default function Overview() {
  const costs = useResource(["costs"], (api) => api.GET("/costs/summary"));
  return (
    <>
      <PageTitle title="Overview" />
      <Loaded found={costs}>
        {(found) => (
          <Stats>
            <Stat name="Spent" value={money(found.cost_cents)} />
          </Stats>
        )}
      </Loaded>
    </>
  );
}
