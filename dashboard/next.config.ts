import type { NextConfig } from "next";

/** Static files alone: whoever serves them, the service itself or any other host, runs nothing. */
const config: NextConfig = { output: "export", trailingSlash: true, images: { unoptimized: true }, poweredByHeader: false };

export default config;
