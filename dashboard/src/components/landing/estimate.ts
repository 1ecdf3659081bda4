/** What the calculator assumes, and what follows. Nothing here does any I/O. */

export type Reading = "cautious" | "hopeful";
export const READINGS: readonly Reading[] = ["cautious", "hopeful"];

/** Per cent, of the spend unless said otherwise. */
export interface Assumptions {
  exact: number; // for requests that come again word for word
  near: number; // for requests that mean what another one meant
  movable: number; // of what is left: for calls that routing may choose a model for
  routed: number; // what those calls cost afterwards, of what they cost now
  patient: number; // of what is left: for work that can wait for a batch
}

export type Lever = "exact" | "near" | "route" | "batch" | "holdout";

export interface Estimate {
  levers: Record<Lever, number>; // saved, in the unit of the spend; what is held out costs, so it is below 0
  saved: number;
  share: number; // of the spend, 0 to 1
}

const WHOLE = 100;
export const BATCH_PRICE = 0.5; // of the list price, as the bundled prices have it where a provider says nothing else
export const HOLDOUT = 0.01; // of all jobs, HOLDOUT_SHARE

/** In the order in which the service saves, so that nothing is saved twice. */
export function estimate(spend: number, { exact, near, movable, routed, patient }: Assumptions): Estimate {
  const repeats = spend * share(exact);
  const alike = Math.min(spend * share(near), spend - repeats);
  const called = spend - repeats - alike;
  const route = called * share(movable) * (1 - share(routed));
  const batch = (called - route) * share(patient) * (1 - BATCH_PRICE);
  const holdout = -(repeats + alike + route + batch) * HOLDOUT;
  const saved = repeats + alike + route + batch + holdout;
  return {
    levers: { exact: repeats, near: alike, route, batch, holdout },
    saved,
    share: spend > 0 ? saved / spend : 0,
  };
}

const share = (percent: number): number => Math.min(Math.max(percent, 0), WHOLE) / WHOLE;

/** The lower and the higher of two figures: whoever changes an assumption may turn them round. */
export const ordered = (one: number, other: number): [number, number] => (one <= other ? [one, other] : [other, one]);

export interface Asked {
  name: keyof Assumptions;
  label: string;
  source: string; // where the figures come from that it starts with
  cautious: number;
  hopeful: number;
}

export const ASSUMED: readonly Asked[] = [
  {
    name: "exact",
    label: "Identical requests, of your spend",
    source:
      "6.8% is the example log of docs/audit.md, 18% the 13 of 72 prompts of the demo. Both were made up to" +
      " show it.",
    cautious: 6.8,
    hopeful: 18,
  },
  {
    name: "near",
    label: "Same meaning in other words, of your spend",
    source:
      "0.2% and 12.5%: the same log, and 9 of the demo's 72 prompts. On 5,000 support questions it came to " +
      "25.9% (docs/caching.md).",
    cautious: 0.2,
    hopeful: 12.5,
  },
  {
    name: "movable",
    label: "Of the rest, what one dear model answers and another may",
    source: "No measurement can tell: that is how your programs call models today.",
    cautious: 25,
    hopeful: 75,
  },
  {
    name: "routed",
    label: "What those calls cost afterwards",
    source:
      "On published outcomes of nine models: 67.6% of the dearer one's cost for 95% of its quality between " +
      "two of them, and 40.4% of the best one's for the same quality among all, taught with 1,000 prompts " +
      "(docs/routing.md).",
    cautious: 67.6,
    hopeful: 40.4,
  },
  {
    name: "patient",
    label: "Of what is left, work that can wait an hour or more",
    source:
      "Begins at 0: you know. It is charged at half the list price, as providers' batches are where they " +
      "say nothing else.",
    cautious: 0,
    hopeful: 0,
  },
];

export const startingWith = (reading: Reading): Assumptions => {
  const start: Assumptions = { exact: 0, near: 0, movable: 0, routed: 0, patient: 0 };
  for (const asked of ASSUMED) start[asked.name] = asked[reading];
  return start;
};
