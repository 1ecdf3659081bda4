"use client";

import { useState } from "react";
import { useResource } from "@/api/hooks";
import { Check } from "@/components/ui/field";
import { Choices, texts } from "@/components/ui/form";
import { Loaded } from "@/components/ui/states";

/** Which models may answer. `limit` null: all. */
export function ModelLimit({ limit }: { limit: readonly string[] | null }) {
  const [limited, setLimited] = useState(limit !== null);
  const found = useResource(limited ? ["providers"] : null, (api) => api.GET("/providers"));
  return (
    <Choices legend="Models">
      <Check
        label="Only some models may answer"
        name="limited"
        checked={limited}
        onChange={(event) => setLimited(event.target.checked)}
      />
      {limited && (
        <Loaded found={found}>
          {({ models }) => (
            <div role="group" aria-label="Models that may answer" className="grid max-h-48 gap-2 overflow-y-auto rounded-md border p-3">
              {[...new Set([...(limit ?? []), ...models.map(({ id }) => id)])].sort().map((id) => (
                <Check key={id} label={id} name="models" value={id} defaultChecked={limit?.includes(id) ?? false} />
              ))}
            </div>
          )}
        </Loaded>
      )}
    </Choices>
  );
}

/** As the API takes it: null for all. A limit to none is refused there, in its words. */
export const modelsOf = (given: FormData): string[] | null => (given.has("limited") ? texts(given, "models") : null);
