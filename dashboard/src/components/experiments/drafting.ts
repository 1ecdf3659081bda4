/** From what a form holds to what the service takes, and back. */

import type { components } from "@/api/schema";
import type { Experiment, Guard, Metric } from "@/components/experiments/words";
import { text } from "@/components/ui/form";

type Schemas = components["schemas"];
export type Request = Schemas["ExperimentRequest"];
type Arm = Request["arms"][number];

const PERCENT = 100;
export const GUARDED = ["quality", "failures"] as const satisfies readonly Metric[];

export interface ArmDraft {
  key: number; // tells fields apart while arms come and go
  arm: Partial<Arm>;
}

/** The first arm is the control. */
function armOf(given: FormData, key: number, control: boolean): Arm {
  const field = (name: string) => text(given, `${key}-${name}`);
  const floor = field("floor");
  return {
    name: field("name"),
    weight: Number(field("weight")),
    control,
    treatment: {
      model: field("model") || null,
      strategy: (field("strategy") || null) as Schemas["TreatmentRequest"]["strategy"],
      quality_floor: floor ? Number(floor) : null,
      cache: (field("cache") || null) as Schemas["TreatmentRequest"]["cache"],
    },
  };
}

/** Guards on other metrics, which the form does not show, stay. */
function guardsOf(given: FormData, before: readonly Guard[]): Guard[] {
  const others = before.filter((guard) => !(GUARDED as readonly Metric[]).includes(guard.metric));
  const shown = GUARDED.flatMap((metric) => {
    const margin = text(given, `guard-${metric}`);
    return margin ? [{ metric, margin: Number(margin) / PERCENT }] : [];
  });
  return [...shown, ...others];
}

export function requestOf(given: FormData, arms: readonly ArmDraft[], draft: Experiment | undefined): Request {
  const days = text(given, "days");
  return {
    name: text(given, "name"),
    description: text(given, "description"),
    unit: text(given, "unit") as Request["unit"],
    arms: arms.map(({ key }, index) => armOf(given, key, index === 0)),
    plan: {
      ...(draft?.plan ?? { alpha: 0.05, max_jobs: null }),
      primary: text(given, "primary") as Metric,
      minimum_effect: Number(text(given, "effect")) / PERCENT,
      minimum_per_arm: Number(text(given, "minimum")),
      stop_when_decided: given.has("decided"),
      max_days: days ? Number(days) : null,
      guards: guardsOf(given, draft?.plan.guards ?? []),
    },
  };
}

const CONTROL_FIRST = (one: { control?: boolean }, other: { control?: boolean }) => Number(other.control) - Number(one.control);

export function armDraftsOf(draft: Experiment | undefined): ArmDraft[] {
  const arms: Partial<Arm>[] = draft ? draft.arms.toSorted(CONTROL_FIRST) : [{ name: "as-it-is" }, { name: "" }];
  return arms.map((arm, key) => ({ key, arm }));
}

export const inPercent = (part: number): string => String(Number((part * PERCENT).toFixed(4)));
