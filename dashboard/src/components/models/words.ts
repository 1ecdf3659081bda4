import type { components } from "@/api/schema";
import type { Tone } from "@/components/ui/badge";
import { UNKNOWN } from "@/lib/format";

export type Providers = components["schemas"]["ProvidersView"];
export type Provider = components["schemas"]["ProviderView"];
export type Model = components["schemas"]["ModelView"];
export type Health = Provider["health"];

interface Told {
  name: string;
  tone: Tone;
  means: string;
}

/** What a circuit breaker's states mean to who pays. */
export const HEALTH: Record<Health, Told> = {
  healthy: { name: "Healthy", tone: "good", means: "The last call was answered." },
  degraded: { name: "Degraded", tone: "warning", means: "The last call failed, or one of its keys or models is open." },
  open: { name: "Open", tone: "bad", means: "Too many calls failed, so it is not called for a while. One call then finds out." },
  untried: { name: "Untried", tone: "neutral", means: "It has not been called for a day." },
  unknown: { name: "Unknown", tone: "neutral", means: "The broker does not answer, so nobody knows." },
  off: { name: "Off", tone: "neutral", means: "No key is configured." },
};

const CAPABILITIES: Record<string, string> = {
  json: "JSON",
  schema: "JSON by a schema",
  vision: "Pictures",
  tools: "Tools",
  choices: "Several answers",
  logprobs: "Log probabilities",
  sampling: "Temperature",
  penalties: "Penalties",
  effort: "Reasoning effort",
};
export const capability = (name: string): string => CAPABILITIES[name] ?? name;

const TASKS: Record<string, string> = {
  code: "Code",
  math: "Mathematics",
  choice: "Choice from a list",
  transform: "Summarise, translate, extract",
  create: "Writing",
  question: "Questions",
  chat: "Conversation",
};
export const task = (name: string | null): string => (name === null ? "Not known" : (TASKS[name] ?? name));

export const SOURCES: Record<components["schemas"]["OutcomeRow"]["source"], string> = {
  user: "People",
  judge: "A judge model",
  implicit: "Signs, such as asking again",
};

/** US dollars for a million tokens, as lists of prices have them: to the last digit, since some are fractions of a cent. */
export const perMillion = (dollars: string | null | undefined): string => (dollars == null ? UNKNOWN : price.format(Number(dollars)));

const MOST_DIGITS = 8;
const price = new Intl.NumberFormat("en-US", {
  style: "currency",
  currency: "USD",
  minimumFractionDigits: 2,
  maximumFractionDigits: MOST_DIGITS,
});

export const quality = (value: number | null | undefined): string => (value == null ? UNKNOWN : value.toFixed(2));
