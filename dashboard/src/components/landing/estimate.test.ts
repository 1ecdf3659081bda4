import { describe, expect, test } from "vitest";
import { ASSUMED, type Assumptions, estimate, ordered, startingWith } from "@/components/landing/estimate";

const NONE: Assumptions = { exact: 0, near: 0, movable: 0, routed: 100, patient: 0 };

test("nothing assumed is nothing saved", () => {
  expect(estimate(1000, NONE)).toMatchObject({ saved: 0, share: 0 });
});

test("each lever is counted of what those before it have left", () => {
  const { levers, saved } = estimate(1000, { exact: 20, near: 10, movable: 50, routed: 40, patient: 100 });
  expect(levers.exact).toBeCloseTo(200);
  expect(levers.near).toBeCloseTo(100);
  expect(levers.route).toBeCloseTo(700 * 0.5 * 0.6);
  expect(levers.batch).toBeCloseTo((700 - 210) * 0.5);
  expect(saved).toBeCloseTo(0.99 * (200 + 100 + 210 + 245));
  expect(levers.holdout).toBeCloseTo(-0.01 * (200 + 100 + 210 + 245));
});

test("no more is saved than is spent, whatever is assumed", () => {
  const most = estimate(1000, { exact: 80, near: 80, movable: 100, routed: 0, patient: 100 });
  expect(most.levers.near).toBeCloseTo(200);
  expect(most.saved).toBeCloseTo(990);
  expect(estimate(1000, { exact: 500, near: -5, movable: 0, routed: 0, patient: 0 }).share).toBeCloseTo(0.99);
});

test("of no spend nothing is saved, and no share of it", () => {
  expect(estimate(0, { ...NONE, exact: 20 })).toMatchObject({ saved: 0, share: 0 });
});

describe("what the page begins with", () => {
  test("is its own table, and the cautious reading saves less", () => {
    expect(startingWith("hopeful").exact).toBe(ASSUMED.find(({ name }) => name === "exact")?.hopeful);
    expect(estimate(1, startingWith("cautious")).saved).toBeLessThan(estimate(1, startingWith("hopeful")).saved);
  });
});

test("two figures in their order", () => expect([ordered(2, 1), ordered(1, 2)]).toEqual([[1, 2], [1, 2]]));
