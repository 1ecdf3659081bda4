"use client";

import useSWRInfinite, { type SWRInfiniteConfiguration } from "swr/infinite";
import { type Api, Problem, unwrap } from "@/api/client";
import { useSession } from "@/auth/session";

interface Page<R> {
  data: R[];
  next?: string | null;
}

export interface Paged<R> {
  rows: R[] | undefined; // of all pages so far; undefined until the first has come
  error: Problem | undefined;
  more: boolean;
  busy: boolean; // a further page is on its way
  loadMore: () => void;
  mutate: () => void;
}

type LoadPage<R> = (api: Api, after: string | undefined) => Promise<{ data?: Page<R>; error?: unknown; response: Response }>;
type Key = readonly [...unknown[], string | undefined]; // the cursor last

/** A list that is read page by page. `name` must differ wherever the answer may; null waits. */
export function usePaged<R>(
  name: readonly unknown[] | null,
  load: LoadPage<R>,
  options: SWRInfiniteConfiguration<Page<R>, Problem> = {},
): Paged<R> {
  const { api, tenant } = useSession();
  const key = (_: number, before: Page<R> | null): Key | null =>
    !name || !tenant || (before && !before.next) ? null : [tenant.id, ...name, before?.next ?? undefined];
  const fetchPage = (given: Key) => unwrap(load(api, given.at(-1) as string | undefined));
  const { data, error, size, setSize, mutate } = useSWRInfinite<Page<R>, Problem>(key, fetchPage, {
    revalidateAll: options.refreshInterval !== undefined, // what is open may be on any page
    ...options,
  });
  const pages = data?.length ?? 0;
  return {
    rows: data?.flatMap((page) => page.data),
    error, // beside rows: of a further page, or why they are no fresher
    more: Boolean(data?.at(-1)?.next),
    busy: pages > 0 && size > pages && !error,
    loadMore: () => void setSize(pages + 1),
    mutate: () => void mutate(),
  };
}
