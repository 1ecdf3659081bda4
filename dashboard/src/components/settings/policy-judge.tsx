"use client";

import { centsOf } from "@/components/budgets/words";
import { type Change, DefaultAmount, DefaultNumber, ModelChoice, PolicyForm, type PolicyProps } from "@/components/settings/policy-form";
import { Check } from "@/components/ui/field";
import { numberOrNull, orNull, text } from "@/components/ui/form";

const read = (given: FormData): Change => ({
  judge_model: orNull(given, "judge_model"),
  judge_daily_cents: centsOf(text(given, "judge_daily")), // null where nothing is given: the field takes nothing else but amounts
  shadow_rate: numberOrNull(given, "shadow_rate"),
  compare_with_own_keys: given.has("compare_with_own_keys"),
});

export function JudgePolicy({ tenant, models, onSaved }: PolicyProps) {
  return (
    <PolicyForm
      title="Judge"
      hint="Answers are compared by a model, so that it is known which one is good enough."
      tenant={tenant}
      onSaved={onSaved}
      read={read}
    >
      <ModelChoice label="Judge" name="judge_model" models={models} value={tenant.judge_model} />
      <DefaultAmount
        label="Budget in US dollars a day"
        name="judge_daily"
        hint="At most the service's."
        cents={tenant.judge_daily_cents}
      />
      <DefaultNumber
        label="Share of jobs that another model answers too"
        name="shadow_rate"
        hint="0 to 1; at most the service's."
        min={0}
        max={1}
        value={tenant.shadow_rate}
      />
      <Check
        label="Use the tenant's own provider keys for it"
        name="compare_with_own_keys"
        hint="Comparisons are on your provider's bill then."
        defaultChecked={tenant.compare_with_own_keys}
      />
    </PolicyForm>
  );
}
