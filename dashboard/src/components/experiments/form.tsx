"use client";

import { Beaker, Pencil } from "lucide-react";
import { useState } from "react";
import type { Api } from "@/api/client";
import { useAction } from "@/api/hooks";
import { ArmFields } from "@/components/experiments/arm-fields";
import { type ArmDraft, armDraftsOf, GUARDED, inPercent, type Request, requestOf } from "@/components/experiments/drafting";
import { type Experiment, METRICS, UNITS } from "@/components/experiments/words";
import { Button } from "@/components/ui/button";
import { Check, Choice, TextArea, TextField } from "@/components/ui/field";
import { FormDialog } from "@/components/ui/form";

const MOST_ARMS = 10;
const UNIT_OPTIONS = Object.entries(UNITS);
const METRIC_OPTIONS = Object.entries(METRICS);

const save = (api: Api, draft: Experiment | undefined, body: Request) =>
  draft
    ? api.PATCH("/v1/experiments/{experiment_id}", { params: { path: { experiment_id: draft.id } }, body })
    : api.POST("/v1/experiments", { body });

/** A new draft, or a change of one. */
export function ExperimentForm({ draft, onSaved }: { draft?: Experiment; onSaved: (saved: Experiment) => void }) {
  const [open, setOpen] = useState(false);
  const [arms, setArms] = useState<ArmDraft[]>([]);
  const { run, busy, problem, forget } = useAction(save, { quiet: true });
  const show = (shown: boolean) => {
    forget();
    setArms(armDraftsOf(draft));
    setOpen(shown);
  };
  const submit = async (given: FormData) => {
    const found = await run(draft, requestOf(given, arms, draft));
    if (!found) return;
    setOpen(false);
    onSaved(found.data);
  };
  return (
    <>
      <Button look={draft ? "plain" : "primary"} onClick={() => show(true)}>
        {draft ? <Pencil aria-hidden /> : <Beaker aria-hidden />}
        {draft ? "Change" : "New experiment"}
      </Button>
      <FormDialog
        open={open}
        onOpenChange={show}
        title={draft ? "Change the draft" : "New experiment"}
        hint="Chance decides which job is answered how, so that the arms differ in nothing else. A draft draws no jobs."
        action={draft ? "Save" : "Draft it"}
        busy={busy}
        problem={problem}
        onSubmit={submit}
      >
        <TextField label="Name" name="name" required maxLength={200} defaultValue={draft?.name} />
        <TextArea label="Hypothesis" name="description" maxLength={2000} defaultValue={draft?.description} />
        <Choice label="Chance decides for" name="unit" options={UNIT_OPTIONS} defaultValue={draft?.unit} />
        <ArmList arms={arms} onChange={setArms} />
        <PlanFields plan={draft?.plan} />
      </FormDialog>
    </>
  );
}

function ArmList({ arms, onChange }: { arms: ArmDraft[]; onChange: (arms: ArmDraft[]) => void }) {
  const add = () => onChange([...arms, { key: Math.max(...arms.map(({ key }) => key)) + 1, arm: {} }]);
  return (
    <>
      {arms.map((draft, index) => (
        <ArmFields
          key={draft.key}
          draft={draft}
          legend={index === 0 ? "Arm 1, the control: the others are held against it" : `Arm ${index + 1}`}
          onRemove={index > 1 ? () => onChange(arms.filter(({ key }) => key !== draft.key)) : undefined}
        />
      ))}
      {arms.length < MOST_ARMS && (
        <Button size="small" onClick={add} className="justify-self-start">
          Add an arm
        </Button>
      )}
    </>
  );
}

function PlanFields({ plan }: { plan: Experiment["plan"] | undefined }) {
  const margin = (metric: string) => plan?.guards.find((guard) => guard.metric === metric)?.margin;
  return (
    <fieldset className="grid min-w-0 gap-4">
      <legend className="mb-2 text-sm font-medium">Plan</legend>
      <div className="grid gap-4 sm:grid-cols-2">
        <Choice label="It is about" name="primary" options={METRIC_OPTIONS} defaultValue={plan?.primary} />
        <TextField
          label="Smallest change that matters, %"
          name="effect"
          type="number"
          min={0}
          max={100}
          step="any"
          defaultValue={inPercent(plan?.minimum_effect ?? 0)}
        />
        <TextField label="Jobs of an arm at least" name="minimum" type="number" min={50} required defaultValue={plan?.minimum_per_arm ?? 200} />
        <TextField label="Days at most" name="days" type="number" min={1} max={365} defaultValue={plan ? (plan.max_days ?? "") : 28} />
        {GUARDED.map((metric) => (
          <TextField
            key={metric}
            label={`End an arm: ${METRICS[metric].toLowerCase()} worse by, points of 100`}
            name={`guard-${metric}`}
            type="number"
            min={0.01}
            max={100}
            step="any"
            defaultValue={plan ? (margin(metric) === undefined ? "" : inPercent(margin(metric) ?? 0)) : 5}
          />
        ))}
      </div>
      <Check label="Stop once each arm is better, worse or no different" name="decided" defaultChecked={plan?.stop_when_decided ?? true} />
    </fieldset>
  );
}
