import { expect, test } from "vitest";
import { type RetentionView, shortens } from "@/components/settings/shortens";

const VIEW: RetentionView = {
  days: { jobs: 60, cache: null, ledger: null, files: null, deliveries: null },
  effective: { jobs: 60, cache: 30, ledger: 400, files: 30, deliveries: 30 },
  maximum: 3650,
};

test.each([
  ["what stays", VIEW.days, false],
  ["a longer time", { ...VIEW.days, jobs: 90 }, false],
  ["a shorter time", { ...VIEW.days, jobs: 59 }, true],
  ["a time that is shorter than the service's", { ...VIEW.days, cache: 7 }, true],
  ["a time that is longer than the service's", { ...VIEW.days, cache: 90 }, false],
  ["the service's own time again, whatever that is", { ...VIEW.days, jobs: null }, true],
])("%s is asked about where it may delete something", (_, wanted, asks) => expect(shortens(VIEW, wanted)).toBe(asks));
