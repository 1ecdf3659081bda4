import { describe, expect, test } from "vitest";
import { ago, bytes, count, duration, milliseconds, money, onDay, percent, seconds, UNKNOWN } from "@/lib/format";

describe("money, in cents", () => {
  test.each([
    ["0", "$0.00"],
    ["4200", "$42.00"],
    ["123456789.5", "$1,234,567.90"],
    ["42", "$0.42"],
    ["0.42", "$0.0042"],
    ["0.0042", "$0.000042"],
    ["0.0000421", "$0.00000042"],
    ["-42", "-$0.42"],
    [4200, "$42.00"],
  ])("%s is %s", (cents, shown) => expect(money(cents)).toBe(shown));

  test("what floats leave of a difference of nothing is nothing", () => {
    expect(money(0.1 + 0.2 - 0.3)).toBe("$0.00");
    expect(money(-0)).toBe("$0.00");
  });

  test("what is not known is no amount", () => {
    expect(money(null)).toBe(UNKNOWN);
    expect(money(undefined)).toBe(UNKNOWN);
  });
});

test("numbers, shares and what is not known of them", () => {
  expect(count(1234567)).toBe("1,234,567");
  expect(percent(0.4567)).toBe("45.7%");
  expect(percent(1)).toBe("100%");
  expect([count(null), percent(undefined)]).toEqual([UNKNOWN, UNKNOWN]);
});

test.each([
  [0, "0 ms"],
  [999, "999 ms"],
  [1000, "1.00 s"],
  [9990, "9.99 s"],
  [12_340, "12.3 s"],
  [null, UNKNOWN],
])("%s milliseconds are %s", (value, shown) => expect(milliseconds(value)).toBe(shown));

test.each([
  [0, "0 bytes"],
  [1, "1 bytes"],
  [1500, "1.5 kB"],
  [999_960, "1,000 kB"],
  [2_500_000, "2.5 MB"],
  [3_000_000_000_000, "3,000 GB"],
])("%s bytes are %s", (value, shown) => expect(bytes(value)).toBe(shown));

test.each([
  [0, "0 sec"],
  [0.9, "0 sec"],
  [59, "59 sec"],
  [119, "1 min"],
  [7199, "1 hr"],
  [172_800, "2 days"],
  [null, UNKNOWN],
])("a span of %s seconds is as coarse as it is long: %s", (value, shown) => expect(seconds(value)).toBe(shown));

test.each([
  [0, "0 seconds"],
  [1, "1 second"],
  [90, "90 seconds"],
  [3600, "1 hour"],
  [5400, "90 minutes"],
  [86_400, "1 day"],
])("a length of %s seconds loses nothing: %s", (value, shown) => expect(duration(value)).toBe(shown));

describe("how long ago something was", () => {
  const now = Date.parse("2026-11-26T12:00:00Z");
  test.each([
    ["2026-11-26T12:00:00Z", "now"],
    ["2026-11-26T11:59:00.400Z", "59 seconds ago"],
    ["2026-11-26T11:00:01Z", "59 minutes ago"],
    ["2026-11-25T12:00:01Z", "23 hours ago"],
    ["2026-11-25T12:00:00Z", "yesterday"],
    ["2026-11-26T14:00:00Z", "in 2 hours"],
    [now / 1000 - 120, "2 minutes ago"],
  ])("%s was %s", (time, shown) => expect(ago(time, now)).toBe(shown));

  test("what has no time was never", () => expect([ago(null), onDay(undefined)]).toEqual([UNKNOWN, UNKNOWN]));
});
