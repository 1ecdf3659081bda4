"use client";

import { createContext, type ReactNode, useCallback, useContext, useEffect, useReducer, useState } from "react";
import { type Api, mayPass, Problem, unwrap } from "@/api/client";
import { useSession } from "@/auth/session";
import { follow, type LiveState } from "@/live/follow";
import { apply, NOTHING, type Recent, refill, type Second, type Tick } from "@/live/seconds";

const AGAIN_MS = 5000; // after a history that could not be fetched
export const UNTIL_LIVE_MS = 15_000; // between histories while no ticks come

interface Live {
  state: LiveState;
  recent: Recent;
}

const LiveContext = createContext<Live>({ state: "off", recent: NOTHING });

export const useLive = (): Live => useContext(LiveContext);

type News =
  | { kind: "another tenant" }
  | { kind: "tick"; tick: Tick }
  | { kind: "history"; seq: number; seconds: readonly Second[] };

function reduce(recent: Recent, news: News): Recent {
  if (news.kind === "another tenant") return NOTHING;
  return news.kind === "tick" ? apply(recent, news.tick) : refill(recent, news.seq, news.seconds);
}

/** The tenant's ticks, with what was before the first and between two that were missed. */
export function LiveProvider({ children }: { children: ReactNode }) {
  const { supabase, tenant, session, api } = useSession();
  const [state, setState] = useState<LiveState>("connecting");
  const [asked, ask] = useReducer((times: number) => times + 1, 0);
  const [recent, tell] = useReducer(reduce, NOTHING);
  const id = tenant?.id;
  const token = session?.access_token;

  useEffect(() => {
    if (supabase && token) supabase.realtime.setAuth(token);
  }, [supabase, token]);

  useEffect(() => {
    if (!supabase || !id) return;
    tell({ kind: "another tenant" });
    setState("connecting");
    return follow(supabase, {
      topic: `tenant:${id}:metrics`,
      options: { config: { private: true } },
      hear: (channel) => channel.on("broadcast", { event: "tick" }, ({ payload }) => tell({ kind: "tick", tick: payload as Tick })),
      told: (now) => {
        setState(now);
        if (now === "live") ask();
      },
    });
  }, [supabase, id]);

  const refetch = useCallback(() => fetchRecent(api, tell), [api]);
  // At first, at each connection, for what came before it, from time to time where there is none, and after each gap.
  useEffect(() => (id ? refetch() : undefined), [id, asked, refetch]);
  useEffect(() => {
    if (state === "live") return;
    const timer = setInterval(ask, UNTIL_LIVE_MS);
    return () => clearInterval(timer);
  }, [state]);
  useEffect(() => (recent.missing === null ? undefined : refetch()), [recent.missing, refetch]);

  return <LiveContext.Provider value={{ state, recent }}>{children}</LiveContext.Provider>;
}

/** Asks for the last minutes until they have come, or until what it returns is called. */
function fetchRecent(api: Api, tell: (news: News) => void): () => void {
  let left = false;
  let again: ReturnType<typeof setTimeout> | undefined;
  const ask = async () => {
    try {
      const found = await unwrap(api.GET("/v1/metrics/series", { params: { query: { grain: "second" } } }));
      if (!left) tell({ kind: "history", seq: found.seq, seconds: found.series[0]?.points ?? [] });
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (!left && mayPass(error)) again = setTimeout(ask, AGAIN_MS);
    }
  };
  void ask();
  return () => {
    left = true;
    clearTimeout(again);
  };
}
