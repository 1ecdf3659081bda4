"use client";

import {
  type Change,
  DefaultChoice,
  DefaultNumber,
  ModelChoice,
  PolicyForm,
  type PolicyProps,
  type Tenant,
} from "@/components/settings/policy-form";
import { Check } from "@/components/ui/field";
import { numberOrNull, orNull } from "@/components/ui/form";

type Strategy = NonNullable<Tenant["strategy"]>;

const STRATEGIES: readonly (readonly [Strategy, string])[] = [
  ["complexity", "complexity: by what the question looks like"],
  ["learning", "learning: by what answers turned out to be worth"],
  ["hybrid", "hybrid: learning, held against complexity"],
  ["cascade", "cascade: a cheap model first, a better one where needed"],
];

const read = (given: FormData): Change => ({
  baseline_model: orNull(given, "baseline_model"),
  strategy: orNull<Strategy>(given, "strategy"),
  quality_target: numberOrNull(given, "quality_target"),
  holdout_share: numberOrNull(given, "holdout_share"),
  fallback: given.has("fallback"),
  implicit_outcomes: given.has("implicit_outcomes"),
});

export function RoutingPolicy({ tenant, models, onSaved }: PolicyProps) {
  return (
    <PolicyForm title="Routing" hint="Which models answer, and against what savings are measured." tenant={tenant} onSaved={onSaved} read={read}>
      <ModelChoice
        label="Baseline model"
        name="baseline_model"
        hint="What you would use without us."
        models={models}
        value={tenant.baseline_model}
      />
      <DefaultChoice label="Strategy" name="strategy" options={STRATEGIES} value={tenant.strategy} />
      <DefaultNumber
        label="Quality target"
        name="quality_target"
        hint="0 to 1, of the best single model's quality."
        min={0}
        max={1}
        value={tenant.quality_target}
      />
      <DefaultNumber
        label="Holdout share"
        name="holdout_share"
        hint="0 to 1, of jobs that are answered without us, to measure us."
        min={0}
        max={1}
        value={tenant.holdout_share}
      />
      <Check
        label="Another model may answer where a named one fails"
        name="fallback"
        defaultChecked={tenant.fallback}
      />
      <Check
        label="Learn from what callers do next, and from how answers end"
        name="implicit_outcomes"
        defaultChecked={tenant.implicit_outcomes}
      />
    </PolicyForm>
  );
}
