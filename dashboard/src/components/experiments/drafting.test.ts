import { expect, test } from "vitest";
import { armDraftsOf, inPercent, requestOf } from "@/components/experiments/drafting";
import { effectWords, type Experiment, meanWords, rangeWords } from "@/components/experiments/words";
import { UNKNOWN } from "@/lib/format";

const FIELDS: Record<string, string> = {
  name: " Cheaper ",
  description: "",
  unit: "job",
  primary: "cost",
  effect: "2.5",
  minimum: "200",
  days: "",
  "guard-quality": "5",
  "guard-failures": "",
  "0-name": "as-it-is",
  "0-weight": "1",
  "3-name": "small",
  "3-weight": "0.5",
  "3-model": "small",
  "3-floor": "0",
};
const form = (change: Record<string, string> = {}): FormData => {
  const given = new FormData();
  for (const [name, value] of Object.entries({ ...FIELDS, ...change })) given.set(name, value);
  return given;
};
const ARMS = [
  { key: 0, arm: {} },
  { key: 3, arm: {} },
];

test("a form becomes what the service takes: shares for percent, null for what is left out", () => {
  const found = requestOf(form(), ARMS, undefined);
  expect(found.name).toBe("Cheaper");
  expect(found.plan).toEqual({
    alpha: 0.05,
    max_jobs: null,
    primary: "cost",
    minimum_effect: 0.025,
    minimum_per_arm: 200,
    stop_when_decided: false,
    max_days: null,
    guards: [{ metric: "quality", margin: 0.05 }],
  });
});

test("the first arm is the control, and a floor of 0 is one", () => {
  const { arms } = requestOf(form(), ARMS, undefined);
  expect(arms.map(({ name, control }) => [name, control])).toEqual([
    ["as-it-is", true],
    ["small", false],
  ]);
  expect(arms[0]?.treatment).toEqual({ model: null, strategy: null, quality_floor: null, cache: null });
  expect(arms[1]).toMatchObject({ weight: 0.5, treatment: { model: "small", quality_floor: 0 } });
});

test("what the form does not show of a draft stays as it was", () => {
  const guards = [
    { metric: "latency", margin: 0.2 },
    { metric: "failures", margin: 0.01 },
  ];
  const draft = { plan: { alpha: 0.01, max_jobs: 900, guards }, arms: [] } as unknown as Experiment;
  const { plan } = requestOf(form({ decided: "on" }), ARMS, draft);
  expect(plan).toMatchObject({ alpha: 0.01, max_jobs: 900, stop_when_decided: true });
  expect(plan?.guards).toEqual([
    { metric: "quality", margin: 0.05 },
    { metric: "latency", margin: 0.2 },
  ]);
});

test("a draft is opened with its control first", () => {
  const draft = { arms: [{ name: "b", control: false }, { name: "a", control: true }, { name: "c", control: false }] };
  expect(armDraftsOf(draft as unknown as Experiment).map(({ arm }) => arm.name)).toEqual(["a", "b", "c"]);
  expect(armDraftsOf(undefined)).toHaveLength(2);
});

test.each([
  [0.07, "7"],
  [0.29, "29"],
  [0.025, "2.5"],
  [0, "0"],
])("a share of %s is shown without what floats add: %s", (part, shown) => expect(inPercent(part)).toBe(shown));

test("effects are told in the unit of their metric", () => {
  expect(effectWords("cost", -0.123)).toBe("-12.3%");
  expect(effectWords("latency", 0.05)).toBe("+5%");
  expect(effectWords("quality", 0.012)).toBe("+1.2 points");
  expect([meanWords("cost", 42), meanWords("latency", 1500), meanWords("quality", 0.9)]).toEqual(["$0.42", "1.50 s", "90%"]);
  expect([rangeWords("1", "2"), rangeWords(UNKNOWN, "2"), meanWords("cost", null)]).toEqual(["1 to 2", UNKNOWN, UNKNOWN]);
});
