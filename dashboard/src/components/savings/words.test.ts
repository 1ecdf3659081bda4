import { expect, test } from "vitest";
import { between, estimated, type Holdout, measured, type PriceList, quality, untilMeasured } from "@/components/savings/words";
import { money } from "@/lib/format";

type Arm = Holdout["baseline"];

const arm = (jobs: number, more: Partial<Arm> = {}): Arm => ({
  jobs,
  failed: 0,
  unpriced: 0,
  mean_cents: 1,
  mean_latency_ms: 1,
  judged: 0,
  mean_quality: null,
  ...more,
});

const holdout = (more: Partial<Holdout>): Holdout => ({
  share: 0.01,
  status: "too_few",
  confidence: 0.95,
  baseline: arm(0),
  routed: arm(0),
  saved_cents_per_job: null,
  saved_share: null,
  saved_cents: null,
  quality_difference: null,
  ...more,
});

const saved = (low: string, high: string): Partial<Holdout> => ({
  status: "measured",
  baseline: arm(40),
  routed: arm(4000),
  saved_cents: { value: "0", low, high },
});

test("nothing held out is nothing measured", () => {
  expect(measured(holdout({ status: "off", share: 0 }))).toContain("Nothing is held out");
});

test("what is missing is told of both arms, as far as it is missing", () => {
  expect(measured(holdout({ baseline: arm(3), routed: arm(12) }))).toBe(
    "Not enough yet: 3 of at least 30 held-out jobs and 12 of at least 30 optimised ones have been answered.",
  );
  expect(measured(holdout({ baseline: arm(3), routed: arm(500) }))).toBe("Not enough yet: 3 of at least 30 held-out jobs have been answered.");
});

test("jobs of unknown cost do not count as enough", () => {
  const found = holdout({ baseline: arm(40, { unpriced: 35 }), routed: arm(500) });
  expect(measured(found)).toBe("Not enough yet: 5 of at least 30 held-out jobs have been answered at a known cost.");
  expect(untilMeasured(found)).toContain("2,500 jobs more");
});

test("a saving is one where all of its interval is", () => {
  expect(measured(holdout(saved("1000", "2000")))).toContain("lower by $10.00 to $20.00");
  expect(measured(holdout(saved("-2000", "-1000")))).toContain("higher, by $10.00 to $20.00");
  expect(measured(holdout(saved("-1000", "2000")))).toContain("anything from -$10.00 to $20.00");
});

test("how long it takes follows from the share", () => {
  expect(untilMeasured(holdout({ baseline: arm(20), share: 0.1 }))).toContain("about 100 jobs more");
  expect(untilMeasured(holdout({ baseline: arm(30) }))).toBeUndefined();
  expect(untilMeasured(holdout({ share: 0 }))).toBeUndefined();
});

test("quality is better or worse only where all of its interval is", () => {
  const found = (low: number, high: number) => quality(holdout({ quality_difference: { value: 0, low, high } }));
  expect(found(0.01, 0.02)).toBe("Better: between 1.0 and 2.0 points of 100 above the held-out answers.");
  expect(found(-0.02, -0.01)).toBe("Worse: the difference is between -2.0 and -1.0 points of 100.");
  expect(found(-0.01, 0.01)).toContain("No difference is shown");
  expect(quality(holdout({}))).toContain("Not enough was judged");
});

test("the price list's result says what it is of", () => {
  const list = { answers: 1200, saved_cents: "500", saved_share: 0.25 } as PriceList;
  expect(estimated(list)).toBe("1,200 answers cost $5.00 less than the same tokens at the baseline model's list price, 25% of the list price.");
  expect(estimated({ ...list, saved_cents: "-500", saved_share: -0.25 })).toContain("$5.00 more than");
  expect(estimated({ ...list, saved_share: null })).not.toContain("%");
  expect(estimated({ ...list, answers: 0 })).toBe("There were no answers in this period.");
});

test("an interval in its own unit", () => expect(between({ value: "1", low: "100", high: "250" }, money)).toBe("$1.00 to $2.50"));
