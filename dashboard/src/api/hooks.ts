"use client";

import { useCallback, useState } from "react";
import { toast } from "sonner";
import useSWR, { type SWRConfiguration, type SWRResponse } from "swr";
import { type Api, Problem, unwrap } from "@/api/client";
import { useSession } from "@/auth/session";

type Load<T> = (api: Api) => Promise<{ data?: T; error?: unknown; response: Response }>;

/** What a route returns, kept fresh. `name` must differ wherever the answer may; null waits. */
export function useResource<T>(
  name: readonly unknown[] | null,
  load: Load<T>,
  options: SWRConfiguration<T, Problem> = {},
): SWRResponse<T, Problem> {
  const { api, tenant } = useSession();
  const key = name && tenant ? [tenant.id, ...name] : null;
  return useSWR<T, Problem>(key, () => unwrap(load(api)), options);
}

/** Something that changes the service. `run` resolves to undefined where it was refused; a toast has then said why. */
export function useAction<T, A extends unknown[]>(
  act: (api: Api, ...given: A) => Promise<{ data?: T; error?: unknown; response: Response }>,
): { run: (...given: A) => Promise<{ data: T } | undefined>; busy: boolean } {
  const { api } = useSession();
  const [busy, setBusy] = useState(false);
  const run = useCallback(
    async (...given: A) => {
      setBusy(true);
      try {
        return { data: await unwrap(act(api, ...given)) };
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        toast.error(error.message);
        return undefined;
      } finally {
        setBusy(false);
      }
    },
    [api, act],
  );
  return { run, busy };
}
