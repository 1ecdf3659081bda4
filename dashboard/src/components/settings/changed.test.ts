import { expect, test } from "vitest";
import { changed, only, type Tenant } from "@/components/settings/changed";

const BEFORE = { name: "Acme", strategy: "hybrid", judge_daily_cents: "50.00", holdout_share: 0.01, fallback: true } as Tenant;

test("only what differs is sent", () => {
  expect(changed(BEFORE, { name: "Acme", strategy: "cascade", holdout_share: 0.01, fallback: false })).toEqual({
    strategy: "cascade",
    fallback: false,
  });
});

test("an amount in another spelling is the same amount", () => {
  expect(changed(BEFORE, { judge_daily_cents: "50" })).toEqual({});
  expect(changed(BEFORE, { judge_daily_cents: "50.01" })).toEqual({ judge_daily_cents: "50.01" });
});

test("nothing, for the service's default, differs from something", () => {
  expect(changed(BEFORE, { strategy: null, holdout_share: null })).toEqual({ strategy: null, holdout_share: null });
  expect(changed({ ...BEFORE, strategy: null }, { strategy: null })).toEqual({});
});

test("of what was saved the fields that were sent are what is held against next", () => {
  expect(only(BEFORE, ["strategy", "fallback"])).toEqual({ strategy: "hybrid", fallback: true });
});
