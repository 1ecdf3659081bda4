import { expect, test } from "vitest";
import { firstRequest, LANGUAGES } from "@/components/start/first-request";

test.each(LANGUAGES)("the request in %s goes to this installation, with the key or a word in its place", (language) => {
  expect(firstRequest(language, "https://api.test", "aico_live_1")).toContain("https://api.test/v1");
  expect(firstRequest(language, "https://api.test", "aico_live_1")).toContain("aico_live_1");
  expect(firstRequest(language, "https://api.test", null)).toContain("YOUR_API_KEY");
});
