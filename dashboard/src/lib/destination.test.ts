import { expect, test } from "vitest";
import { destination } from "@/lib/destination";

const next = (wanted: string): string => destination(`?next=${encodeURIComponent(wanted)}`);

test("a sign-in leads back to the page that asked for it", () => {
  expect(next("/jobs/detail/?id=1&a=%20b")).toBe("/jobs/detail/?id=1&a=%20b");
  expect(destination("")).toBe("/overview/");
});

test.each(["https://example.com/", "//example.com/", "/\\example.com", "\\\\example.com", "javascript:alert(1)", "jobs/", "http://[", "//[", "/sign-in/?next=/sign-in/"])(
  "“%s” leads to no other place, and breaks nothing",
  (wanted) => expect(next(wanted)).toBe("/overview/"),
);

test("what looks like a way out of a folder stays here", () => {
  expect(next("/../../etc")).toBe("/etc");
});
