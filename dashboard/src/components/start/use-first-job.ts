"use client";

import { useResource } from "@/api/hooks";
import { isOpen } from "@/components/jobs/words";

const LOOK_MS = 2000;

/** The newest job, null while there is none. Looked for until one has come and ended. */
export function useFirstJob() {
  return useResource(
    ["jobs", "newest"],
    async (api) => {
      const reply = await api.GET("/v1/jobs", { params: { query: { limit: 1 } } });
      return { ...reply, data: reply.data && (reply.data.data[0] ?? null) };
    },
    { refreshInterval: (job) => (job === undefined || job === null || isOpen(job) ? LOOK_MS : 0) },
  );
}
