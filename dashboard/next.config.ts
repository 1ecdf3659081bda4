import type { NextConfig } from "next";

/** Static files alone: whoever serves them, the service itself or any other host, runs nothing. */
const config: NextConfig = {
  output: "export",
  trailingSlash: true,
  images: { unoptimized: true },
  poweredByHeader: false,
  typescript: { ignoreBuildErrors: true }, // `npm run typecheck` finds them, in the tests too, and `make check` runs it
  // The dashboard keeps no files. Supabase's client for them comes with its main client, and with a polyfill that nothing else needs.
  turbopack: { resolveAlias: { "@supabase/storage-js": "./src/auth/no-storage.ts" } },
};

export default config;
