import { expect, test } from "vitest";
import { type Figures, type History, lines, points, sums } from "@/components/charts/history";

const at = (time: string, cost: string): Figures => ({ at: time, cost_cents: cost, baseline_cost_cents: "2" }) as Figures;
const cost = (figures: Figures) => Number(figures.cost_cents);

function history(grain: History["grain"], since: string, until: string, series: Record<string, Figures[]>): History {
  const named = Object.entries(series).map(([name, found]) => ({ name, points: found }));
  return { grain, since, until, seq: 1, by: "lever", series: named };
}

const DAYS = history("day", "2026-10-31T00:00:00Z", "2026-11-03T00:00:00Z", {
  exact: [at("2026-10-31T00:00:00Z", "1.5"), at("2026-11-02T00:00:00Z", "4")],
  routing: [at("2026-11-01T00:00:00Z", "2")],
});

test("each bucket has a point, also where nothing ended and where clocks are changed", () => {
  expect(points(DAYS, cost, 0)).toEqual([
    { at: "2026-10-31T00:00:00.000Z", values: { exact: 1.5, routing: 0 } },
    { at: "2026-11-01T00:00:00.000Z", values: { exact: 0, routing: 2 } },
    { at: "2026-11-02T00:00:00.000Z", values: { exact: 4, routing: 0 } },
  ]);
});

test("a mean of nothing is a gap, and not 0", () => {
  expect(points(DAYS, cost, null)[1]?.values).toEqual({ exact: null, routing: 2 });
});

test("what lies outside of the period is passed over", () => {
  const late = history("day", "2026-10-31T00:00:00Z", "2026-11-01T00:00:00Z", { exact: [at("2026-11-05T00:00:00Z", "9")] });
  expect(points(late, cost, 0)).toEqual([{ at: "2026-10-31T00:00:00.000Z", values: { exact: 0 } }]);
});

test("several sums of one line have a point for each minute", () => {
  const minutes = history("minute", "2026-11-26T12:00:00Z", "2026-11-26T12:03:00Z", { all: [at("2026-11-26T12:01:00Z", "1")] });
  const found = sums(minutes, { cost, baseline: (figures) => Number(figures.baseline_cost_cents) });
  expect(found.map(({ values }) => values)).toEqual([
    { cost: 0, baseline: 0 },
    { cost: 1, baseline: 2 },
    { cost: 0, baseline: 0 },
  ]);
});

test("lines are named in words", () => {
  expect(lines(DAYS, (name) => name.toUpperCase())).toEqual([
    { key: "exact", name: "EXACT" },
    { key: "routing", name: "ROUTING" },
  ]);
});
