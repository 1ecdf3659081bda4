import { expect, test } from "vitest";
import { AMOUNT, amount, centsOf, dollarsOf, limitWords, numberOf, scopeParts } from "@/components/budgets/words";

test.each([
  ["25", "2500"],
  ["0.50", "50"],
  ["$ 1,234,567.89", "123456789"],
  ["0.00000001", "0.000001"],
  ["9999999999999.99", "999999999999999"],
  ["0", "0"],
  ["007", "700"],
])("%s US dollars are %s cents, without a float in between", (dollars, cents) => expect(centsOf(dollars)).toBe(cents));

test.each(["", "-1", "1e3", "0,50", "1,5", "1,00", "1,2345", "1.000,00", "25 euros", "1.123456789", ".5"])(
  "“%s” is no amount: it may mean another one",
  (typed) => expect(centsOf(typed)).toBeNull(),
);

test.each(["0", "50", "2500", "0.000001", "123456789", "5", "100.5"])("%s cents come back as they went", (cents) => {
  expect(centsOf(dollarsOf(cents))).toBe(cents);
});

test("cents are written as dollars", () => {
  expect(["2500", "2550", "5", "0.000001", "100.5"].map(dollarsOf)).toEqual(["25", "25.50", "0.05", "0.00000001", "1.005"]);
});

test.each([
  ["1000", "1000"],
  ["1,000,000", "1000000"],
  ["1,5", null],
  ["1e6", null],
  ["-1", null],
])("a number of tokens: %s", (typed, number) => expect(numberOf(typed)).toBe(number));

test.each(["25", "0.50", "$ 1,234.5", "1,234", "1e3", "0,50", "1,2345", "-1", "1.123456789", "123456789012345"])(
  "a field takes “%s” where an amount can be read out of it",
  (typed) => expect(new RegExp(`^(?:${AMOUNT})$`, "v").test(typed)).toBe(centsOf(typed) !== null),
);

test("limits in words", () => {
  expect(limitWords({ limit: "1000", unit: "tokens", period: "day" })).toBe("1,000 tokens a day");
  expect(limitWords({ limit: "2500", unit: "cents", period: "month" })).toBe("$25.00 a month");
  expect(amount("12", "requests")).toBe("12");
});

test("a tag may hold what parts a scope", () => {
  expect(scopeParts("tag:team:blue")).toEqual({ kind: "tag", of: "team:blue" });
  expect(scopeParts("key:1-2")).toEqual({ kind: "key", of: "1-2" });
  expect(scopeParts("tenant")).toEqual({ kind: "tenant", of: "" });
});
