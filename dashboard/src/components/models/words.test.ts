import { expect, test } from "vitest";
import { perMillion, quality, task } from "@/components/models/words";
import { UNKNOWN } from "@/lib/format";

test.each([
  ["0.0375", "$0.0375"],
  ["0.01875", "$0.01875"],
  ["1.125", "$1.125"],
  ["2.5", "$2.50"],
  ["15", "$15.00"],
  ["0", "$0.00"],
  [null, UNKNOWN],
])("the list price %s is not rounded: %s", (price, shown) => expect(perMillion(price)).toBe(shown));

test("what is not known is said so, and what is new keeps its name", () => {
  expect([task(null), task("poetry"), quality(null), quality(0.5)]).toEqual(["Not known", "poetry", UNKNOWN, "0.50"]);
});
