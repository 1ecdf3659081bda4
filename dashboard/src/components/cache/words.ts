import type { components } from "@/api/schema";
import type { Tone } from "@/components/ui/badge";
import { count, onDay, percent } from "@/lib/format";

export type Stats = components["schemas"]["CacheStats"];
export type Namespace = components["schemas"]["NamespaceView"];
export type Entry = components["schemas"]["CacheEntryView"];
export type Explanation = components["schemas"]["Explanation"];
export type State = Namespace["state"];

interface Told {
  name: string;
  tone: Tone;
  means: string;
}

export const STATES: Record<State, Told> = {
  learning: {
    name: "Learning",
    tone: "accent",
    means: "Too little was checked here to prove anything. Only what is nearly the same is served, by a strict rule.",
  },
  serving: {
    name: "Serving",
    tone: "good",
    means: "It was tested how alike questions must be for errors to stay within what is allowed. That much is served.",
  },
  probation: {
    name: "On probation",
    tone: "warning",
    means: "A served answer was wrong. Nothing is served for other questions until enough was checked and right.",
  },
  suspended: {
    name: "Suspended",
    tone: "bad",
    means: "More was wrong than is allowed. Nothing is served for other questions until there is evidence that some can be.",
  },
};

export const stateOf = (name: string): Told => STATES[name as State] ?? { name, tone: "neutral", means: "" };

/** Log-odds as a probability. */
export const probability = (logOdds: number): number => 1 / (1 + Math.exp(-logOdds));

/** What is known of a namespace's errors. */
export function evidence({ judged, above, wrong, bound, target, evidence_since }: Namespace, usual: number): string {
  const allowed = `${percent(target ?? usual)} is allowed`;
  if (judged === 0) return `Nothing was checked here yet, so the error is not known; ${allowed}.`;
  const since = evidence_since ? `Since ${onDay(evidence_since)}: of` : "Of";
  const checked = `${since} ${count(judged)} that were checked, ${count(above)} were alike enough to be served, and ${count(wrong)} of these were wrong.`;
  if (bound === null) return `${checked} That is too few to say how often hits are wrong; ${allowed}.`;
  return `${checked} So at most ${percent(bound)} of hits are wrong; ${allowed}.`;
}

export const cut = ({ cut: found }: Namespace): string =>
  found === null ? "As everywhere at first" : percent(probability(found));

/** A namespace's name is a hash: its beginning tells it from others. */
const TOLD_DIGITS = 12;
export const short = (namespace: string): string => namespace.slice(0, TOLD_DIGITS);
export const title = ({ label, namespace }: Namespace): string => label?.trim() || `Without instructions (${short(namespace)})`;

/** What the comparison of two questions looks at. */
const FEATURES: Record<string, string> = {
  bias: "Where every pair starts",
  cosine: "How near in meaning",
  closeness: "How very near in meaning",
  verbatim: "The same words in the same order",
  straight: "Active and passive of the same",
  added: "A rare word that only one has",
  inserted: "A word put into the same sentence",
  replaced: "A word in another's place",
  question: "Another kind of question",
  direction: "To something against from it",
  numbers: "Other numbers",
  numbers_added: "A number that only one has",
  units: "Other units",
  negation: "One negates, the other does not",
  negation_doubtful: "Perhaps one negates",
  antonym: "Words of opposite meaning",
  turned_back: "An opposite that is turned back",
  order: "Exchanged roles",
  quotes: "Other quotations",
  code: "Other code",
  language: "Another language",
  form: "Another form of answer",
  names: "Other names",
  names_added: "A name that only one has",
  time: "Another time",
  time_added: "A time that only one has",
  tense: "Another tense",
  quantity: "More against less, and the like",
  quantifier: "All against some",
  pronoun: "A pronoun that may mean another",
  intercept: "Where this namespace starts",
  pair: "What the comparison of the two says",
  similarity: "How near in meaning",
  margin: "How far other answers are",
  support: "How many neighbours say the same",
};
export const feature = (name: string): string => FEATURES[name] ?? name;

export const GUARD_POLICIES: Record<Explanation["guard_policy"], string> = {
  strict: "Strict: any difference that a guard sees forbids it",
  lenient: "Lenient: differences in facts forbid it",
  off: "Off: the score alone decides",
};
