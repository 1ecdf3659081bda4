"use client";

import { useState } from "react";
import { useResource } from "@/api/hooks";
import { Catalogue } from "@/components/models/catalogue";
import { Learned } from "@/components/models/learner";
import { Outcomes } from "@/components/models/outcomes";
import { ProviderHealth } from "@/components/models/providers";
import { Usage } from "@/components/models/usage";
import { Period, USUAL_DAYS } from "@/components/period";
import { PageTitle } from "@/components/shell/frame";
import { Loaded } from "@/components/ui/states";

const UNWELL_MS = 5000; // how often health is asked for anew while something is open

export default function ModelsPage() {
  const [days, setDays] = useState(USUAL_DAYS);
  const providers = useResource(["providers"], (api) => api.GET("/providers"), {
    refreshInterval: (found) => (found?.providers.some((one) => one.health === "open") ? UNWELL_MS : 0),
  });
  return (
    <>
      <PageTitle title="Models" actions={<Period days={days} onDays={setDays} />}>
        Who is called, what it costs, and how good the answers are.
      </PageTitle>
      <Loaded found={providers}>
        {(found) => (
          <>
            <ProviderHealth found={found} />
            <Usage days={days} />
            <Catalogue found={found} />
          </>
        )}
      </Loaded>
      <Learned />
      <Outcomes days={days} />
    </>
  );
}
