import { expect, test } from "vitest";
import { asked } from "@/components/overview/spans";

const NOW = Date.parse("2026-11-26T12:34:30.500Z"); // in the middle of a minute, as nearly always

test("a day of minutes is asked for without a begin, which would make it 1,441 of the 1,440 that the API gives", () => {
  expect(asked("day", NOW)).toEqual({ grain: "minute" });
});

test("a month of days ends with today, as the API has it", () => {
  expect(asked("month", NOW)).toEqual({ grain: "day" });
});

test("an hour begins an hour ago", () => {
  expect(asked("hour", NOW)).toEqual({ grain: "minute", since: "2026-11-26T11:34:30.500Z" });
});
