import type { components } from "@/api/schema";
import type { Tone } from "@/components/ui/badge";
import { milliseconds, money, percent, UNKNOWN } from "@/lib/format";

type Schemas = components["schemas"];
export type Experiment = Schemas["ExperimentView"];
export type Results = Schemas["ResultsView"];
export type Comparison = Schemas["ComparisonView"];
export type Metric = Schemas["Metric"];
export type Treatment = Schemas["Treatment"];
export type Guard = Schemas["Guard"];

export const RUNNING_REFRESH_MS = 5000;

export const STATUSES: Record<Schemas["Status"], { name: string; tone: Tone }> = {
  draft: { name: "Draft", tone: "neutral" },
  running: { name: "Running", tone: "accent" },
  stopped: { name: "Stopped", tone: "neutral" },
};

export const UNITS: Record<Experiment["unit"], string> = { job: "each job", key: "each API key", user: "each user" };

export const METRICS: Record<Metric, string> = { cost: "Cost", latency: "Latency", quality: "Quality", failures: "Failures" };

export const VERDICTS: Record<Comparison["verdict"], { name: string; tone: Tone }> = {
  better: { name: "Better", tone: "good" },
  worse: { name: "Worse", tone: "bad" },
  no_different: { name: "No different", tone: "neutral" },
  undecided: { name: "Undecided", tone: "neutral" },
};

export const experimentPath = (id: string): string => `/experiments/detail/?id=${encodeURIComponent(id)}`;

/** What an arm changes, in words. */
export function treatmentWords(treatment: Treatment): string {
  const changed = [
    treatment.model && `model ${treatment.model}`,
    treatment.strategy && `strategy ${treatment.strategy}`,
    treatment.quality_floor != null && `quality floor ${treatment.quality_floor}`,
    treatment.cache && `cache ${treatment.cache}`,
  ].filter(Boolean);
  return changed.join(", ") || "nothing is changed";
}

/** A mean of a metric: US cents, milliseconds, or 0..1. */
export function meanWords(metric: Metric, value: number | null | undefined): string {
  if (metric === "cost") return money(value);
  return metric === "latency" ? milliseconds(value) : percent(value);
}

/** A share of the control's mean, for cost and latency; else points of 0..1. */
export function effectWords(metric: Metric, value: number): string {
  const sign = value > 0 ? "+" : "";
  return isRelative(metric) ? `${sign}${percent(value)}` : `${sign}${(100 * value).toFixed(1)} points`;
}

export const isRelative = (metric: Metric): boolean => metric === "cost" || metric === "latency";

export function rangeWords(low: string, high: string): string {
  return low === UNKNOWN || high === UNKNOWN ? UNKNOWN : `${low} to ${high}`;
}
