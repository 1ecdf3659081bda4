import { expect, test } from "vitest";
import { bars, fullTime, looks, type Point } from "@/components/charts/scale";

const pointsAt = (...times: string[]): Point[] => times.map((at) => ({ at, values: {} }));

test("a day of UTC keeps its date west of Greenwich", () => {
  expect(new Date("2026-11-26T00:00:00Z").getDate()).toBe(25); // the tests run there
  expect(fullTime(pointsAt("2026-11-26T00:00:00Z"))(Date.parse("2026-11-26T00:00:00Z"))).toContain("26");
});

test("bars of less than nothing lie left of the others, on one scale", () => {
  expect(bars([3, -1, null, 0])).toEqual([
    { left: 25, width: 75 },
    { left: 0, width: 25 },
    null,
    { left: 25, width: 0 },
  ]);
  expect(bars([0, 0])).toEqual([
    { left: 0, width: 0 },
    { left: 0, width: 0 },
  ]);
});

test("no two of ten lines look the same", () => {
  const drawn = looks(Array.from({ length: 10 }, (_, index) => ({ key: String(index), name: "" })));
  expect(new Set(drawn.map(({ color, dash }) => `${color} ${dash}`)).size).toBe(10);
});
