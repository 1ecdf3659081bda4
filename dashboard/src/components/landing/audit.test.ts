import { expect, test } from "vitest";
import { NotAnAudit, readAudit } from "@/components/landing/audit";

const CENTS = { cautious: "1", hopeful: "2", low: "0.5", high: 3 };
const GOOD = {
  version: 2,
  log: { calls: 60, cents: "12.5", since: "2026-11-01T00:00:00Z", until: "yesterday" },
  parts: [{ name: "exact", calls: 4, cents: CENTS, more: "passed over" }],
  total: { name: "total", calls: 4, cents: CENTS },
  warnings: ["Few calls.", 7],
};
const read = (change: object) => readAudit(JSON.stringify({ ...GOOD, ...change }));

test("figures are read as numbers, the total last, and words that are none are left out", () => {
  const found = read({});
  expect(found).toMatchObject({ calls: 60, cents: 12.5, since: "2026-11-01T00:00:00Z", until: null, warnings: ["Few calls."] });
  expect(found.parts.map(({ name }) => name)).toEqual(["exact", "total"]);
  expect(found.parts[0]).toEqual({ name: "exact", calls: 4, cautious: 1, hopeful: 2, low: 0.5, high: 3 });
});

test.each([
  ["a log", '{"model": "a"}\n{"model": "b"}', "not what"],
  ["another JSON", "[]", "not what"],
  ["null", "null", "not what"],
  ["no JSON", "<script>", "not what"],
])("what is %s is refused in words", (_, text, words) => {
  expect(() => readAudit(text)).toThrow(NotAnAudit);
  expect(() => readAudit(text)).toThrow(words);
});

test.each([
  ["another version", { version: 3 }, "version 3"],
  ["no cost", { log: { ...GOOD.log, cents: "0" } }, "no call whose cost is known"],
  ["a figure that is none", { log: { ...GOOD.log, calls: "many" } }, "damaged"],
  ["an empty figure", { log: { ...GOOD.log, calls: " " } }, "damaged"],
  ["an endless figure", { log: { ...GOOD.log, cents: "Infinity" } }, "damaged"],
  ["a part of another name", { parts: [{ ...GOOD.parts[0], name: "constructor" }] }, "damaged"],
  ["no warnings", { warnings: null }, "damaged"],
])("a result with %s is refused in words", (_, change, words) => expect(() => read(change)).toThrow(words));
