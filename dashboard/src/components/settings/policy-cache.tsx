"use client";

import {
  type Change,
  DefaultChoice,
  DefaultNumber,
  PolicyForm,
  type PolicyProps,
  type Tenant,
} from "@/components/settings/policy-form";
import { Choice } from "@/components/ui/field";
import { numberOrNull, orNull, text } from "@/components/ui/form";

type Mode = NonNullable<Tenant["cache_mode"]>;
type Guards = NonNullable<Tenant["cache_guards"]>;

const MODES: readonly (readonly [Mode, string])[] = [
  ["off", "off: nothing is kept or served"],
  ["exact", "exact: the same request alone"],
  ["semantic", "semantic: questions of the same meaning too"],
  ["refresh", "refresh: answered anew each time, and kept"],
];
const GUARDS: readonly (readonly [Guards, string])[] = [
  ["strict", "strict"],
  ["lenient", "lenient"],
  ["off", "off"],
];
const PERSONAL: readonly (readonly [Tenant["cache_personal"], string])[] = [
  ["user", "Kept for each user alone"],
  ["never", "Never kept"],
];

const read = (given: FormData): Change => ({
  cache_mode: orNull<Mode>(given, "cache_mode"),
  max_error_rate: numberOrNull(given, "max_error_rate"),
  similarity_threshold: numberOrNull(given, "similarity_threshold"),
  cache_guards: orNull<Guards>(given, "cache_guards"),
  cache_personal: text(given, "cache_personal") as Tenant["cache_personal"],
  cache_max_entries: numberOrNull(given, "cache_max_entries"),
});

export function CachePolicy({ tenant, onSaved }: PolicyProps) {
  return (
    <PolicyForm title="Cache" hint="Which kept answers may be served again." tenant={tenant} onSaved={onSaved} read={read}>
      <DefaultChoice label="Mode" name="cache_mode" options={MODES} value={tenant.cache_mode} />
      <DefaultNumber
        label="Wrong answers at most"
        name="max_error_rate"
        hint="0 to 1, of the hits by meaning."
        min={0}
        max={1}
        value={tenant.max_error_rate}
      />
      <DefaultNumber
        label="Least similarity"
        name="similarity_threshold"
        hint="The least cosine, 0 to 1, at which a kept answer may be served."
        min={0}
        max={1}
        value={tenant.similarity_threshold}
      />
      <DefaultChoice
        label="Guards"
        name="cache_guards"
        hint="Which differences between two questions forbid a hit, whatever the similarity."
        options={GUARDS}
        value={tenant.cache_guards}
      />
      <Choice
        label="Personal questions of users"
        name="cache_personal"
        options={PERSONAL}
        defaultValue={tenant.cache_personal}
      />
      <DefaultNumber
        label="Answers that are kept at most"
        name="cache_max_entries"
        hint="At most the service's."
        min={1}
        step={1}
        value={tenant.cache_max_entries}
      />
    </PolicyForm>
  );
}
