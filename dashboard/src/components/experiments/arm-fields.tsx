"use client";

import { useResource } from "@/api/hooks";
import type { ArmDraft } from "@/components/experiments/drafting";
import { Button } from "@/components/ui/button";
import { Choice, TextField } from "@/components/ui/field";

type Options = readonly (readonly [value: string, name: string])[];

const AS_IT_IS = ["", "As it is"] as const;
const STRATEGIES: Options = [AS_IT_IS, ...["complexity", "learning", "hybrid", "cascade"].map((one) => [one, one] as const)];
const CACHE_MODES: Options = [AS_IT_IS, ...["off", "exact", "semantic", "refresh"].map((one) => [one, one] as const)];

/** Models that answer: those that choose one (`auto`) and those that make vectors are none. */
function useModels(): Options {
  const found = useResource(["models"], (api) => api.GET("/v1/models"));
  const models = found.data?.data.filter((model) => model.quality != null) ?? [];
  return [AS_IT_IS, ...models.map((model) => [model.id, model.id] as const)];
}

interface Props {
  draft: ArmDraft;
  legend: string;
  onRemove: (() => void) | undefined;
}

/** What one arm changes. An option that the draft names and that is no more is kept. */
export function ArmFields({ draft: { key, arm }, legend, onRemove }: Props) {
  const models = useModels();
  const model = arm.treatment?.model;
  const known = !model || models.some(([id]) => id === model) ? models : [...models, [model, model] as const];
  return (
    <fieldset className="grid min-w-0 gap-3 rounded-md border p-3">
      <legend className="px-1 text-sm font-medium">{legend}</legend>
      <div className="grid gap-3 sm:grid-cols-2">
        <TextField label="Name of the arm" name={`${key}-name`} required defaultValue={arm.name} />
        <TextField label="Weight" name={`${key}-weight`} type="number" min={0.001} max={1000} step="any" required defaultValue={arm.weight ?? 1} />
        <Choice key={known.length} label="Model" name={`${key}-model`} options={known} defaultValue={model ?? ""} />
        <Choice label="Strategy" name={`${key}-strategy`} options={STRATEGIES} defaultValue={arm.treatment?.strategy ?? ""} />
        <TextField
          label="Least quality, 0 to 1"
          name={`${key}-floor`}
          type="number"
          min={0}
          max={1}
          step="any"
          defaultValue={arm.treatment?.quality_floor ?? ""}
        />
        <Choice label="Cache" name={`${key}-cache`} options={CACHE_MODES} defaultValue={arm.treatment?.cache ?? ""} />
      </div>
      {onRemove && (
        <Button size="small" onClick={onRemove} className="justify-self-start">
          Remove this arm
        </Button>
      )}
    </fieldset>
  );
}
