import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

/** What decides or calculates something is tested without a browser; pages are tested in one, in tests/browser. */
export default defineConfig({
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  test: {
    include: ["src/**/*.test.ts"],
    env: { TZ: "America/Los_Angeles" }, // not UTC, so that a day of UTC that is shown as a local one is seen
  },
});
