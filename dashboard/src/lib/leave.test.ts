import { expect, test } from "vitest";
import { isWeb } from "@/lib/leave";

test.each(["https://flower.example.com/", "http://127.0.0.1:5555/x?y#z"])("%s is gone to", (url) => expect(isWeb(url)).toBe(true));

test.each(["javascript:alert(1)", " JAVASCRIPT:alert(1)", "java\nscript:alert(1)", "data:text/html,x", "file:///etc/passwd", "//x", "", "x"])(
  "%j is not",
  (url) => expect(isWeb(url)).toBe(false),
);
