"use client";

import { useCallback, useState } from "react";
import { toast } from "sonner";
import useSWR, { type KeyedMutator, type SWRConfiguration, unstable_serialize, useSWRConfig } from "swr";
import { type Api, Problem, unwrap } from "@/api/client";
import { useSession } from "@/auth/session";

type Load<T> = (api: Api) => Promise<{ data?: T; error?: unknown; response: Response }>;

export interface Resource<T> {
  data: T | undefined;
  error: Problem | undefined; // beside data: why it is no fresher
  mutate: KeyedMutator<T>;
}

/** What a route returns, kept fresh. `name` must differ wherever the answer may; null waits.
 *
 * With `keepPreviousData` what had another name is shown until the answer comes, and not where it is refused: it would stand
 * under a wrong title.
 */
export function useResource<T>(
  name: readonly unknown[] | null,
  load: Load<T>,
  options: SWRConfiguration<T, Problem> = {},
): Resource<T> {
  const { api, tenant } = useSession();
  const { cache } = useSWRConfig();
  const key = name && tenant ? [tenant.id, ...name] : null;
  const { data, error, mutate } = useSWR<T, Problem>(key, () => unwrap(load(api)), options);
  const own: T | undefined = error && options.keepPreviousData ? cache.get(unstable_serialize(key))?.data : data;
  return { data: own, error, mutate };
}

interface Action<T, A extends unknown[]> {
  run: (...given: A) => Promise<{ data: T } | undefined>;
  busy: boolean;
  problem: Problem | null; // why the last run was refused
  forget: () => void; // the problem
}

/** Something that changes the service. `run` resolves to undefined where it was refused.
 *
 * A toast has then said why, unless `quiet`: a form shows `problem` itself, since what is behind a window is not read out.
 */
export function useAction<T, A extends unknown[]>(
  act: (api: Api, ...given: A) => Promise<{ data?: T; error?: unknown; response: Response }>,
  { quiet = false } = {},
): Action<T, A> {
  const { api } = useSession();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const run = useCallback(
    async (...given: A) => {
      setBusy(true);
      setProblem(null);
      try {
        return { data: await unwrap(act(api, ...given)) };
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        setProblem(error);
        if (!quiet) toast.error(error.message);
        return undefined;
      } finally {
        setBusy(false);
      }
    },
    [api, act, quiet],
  );
  const forget = useCallback(() => setProblem(null), []);
  return { run, busy, problem, forget };
}
