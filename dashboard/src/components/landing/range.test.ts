import { expect, test } from "vitest";
import { range, roughly } from "@/components/landing/range";

test("an estimate is rounded, the lower first", () => {
  expect(roughly(9404.9, 6435.2)).toBe("$6,435 to $9,405");
  expect(roughly(12.345, 99.9)).toBe("$12.35 to $99.90");
  expect(roughly(-0.001, 0)).toBe("$0");
  expect(roughly(-250, -100)).toBe("-$250 to -$100");
});

test("two amounts that read the same are one", () => {
  expect(range(100, 100.2)).toBe("$1.00");
  expect(range(100, 250)).toBe("$1.00 to $2.50");
});
