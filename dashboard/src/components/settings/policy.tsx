"use client";

import { useResource } from "@/api/hooks";
import { usePermitted } from "@/auth/permitted";
import { CachePolicy } from "@/components/settings/policy-cache";
import { JudgePolicy } from "@/components/settings/policy-judge";
import { NamePolicy, PrivacyPolicy } from "@/components/settings/policy-name";
import { RoutingPolicy } from "@/components/settings/policy-routing";
import { Loaded } from "@/components/ui/states";

/** What holds where callers do not say otherwise. Each part is saved by itself. */
export function Policy() {
  const found = useResource(["tenant"], (api) => api.GET("/v1/tenant"));
  const providers = useResource(usePermitted("usage:read") ? ["providers"] : null, (api) => api.GET("/providers"));
  const models = [...new Set(providers.data?.models.map(({ id }) => id))].sort();
  return (
    <Loaded found={found}>
      {(tenant) => {
        const given = { tenant, models, onSaved: () => void found.mutate() };
        return (
          <>
            <NamePolicy {...given} />
            <RoutingPolicy {...given} />
            <JudgePolicy {...given} />
            <CachePolicy {...given} />
            <PrivacyPolicy {...given} />
          </>
        );
      }}
    </Loaded>
  );
}
