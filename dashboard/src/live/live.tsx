"use client";

import { createContext, type ReactNode, useContext, useEffect, useReducer, useState } from "react";
import { unwrap } from "@/api/client";
import { useSession } from "@/auth/session";
import { apply, NOTHING, type Recent, refill, type Second, type Tick } from "@/live/seconds";

export type LiveState = "connecting" | "live" | "off";

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
    const channel = supabase
      .channel(`tenant:${id}:metrics`, { config: { private: true } })
      .on("broadcast", { event: "tick" }, ({ payload }) => tell({ kind: "tick", tick: payload as Tick }))
      .subscribe((status) => setState(status === "SUBSCRIBED" ? "live" : status === "CLOSED" ? "off" : "connecting"));
    return () => {
      supabase.removeChannel(channel);
    };
  }, [supabase, id]);

  // At each connection, for what came before it, and after each gap.
  useEffect(() => {
    if (!id || (state !== "live" && !recent.missed)) return;
    let current = true;
    unwrap(api.GET("/v1/metrics/series", { params: { query: { grain: "second" } } })).then(
      (found) => {
        if (!current) return;
        const seconds = (found.series[0]?.points ?? []).map((point) => ({ ...point, at: new Date(point.at).toISOString() }));
        tell({ kind: "history", seq: found.seq, seconds });
      },
      () => undefined, // the next tick, or the next connection, asks again
    );
    return () => {
      current = false;
    };
  }, [api, id, state, recent.missed]);

  return <LiveContext.Provider value={{ state, recent }}>{children}</LiveContext.Provider>;
}
