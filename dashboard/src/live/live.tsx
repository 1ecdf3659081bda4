"use client";

import { createContext, type ReactNode, useContext, useEffect, useReducer, useState } from "react";
import { useSession } from "@/auth/session";
import { apply, NOTHING, type Recent, type Tick } from "@/live/seconds";

export type LiveState = "connecting" | "live" | "off";

interface Live {
  state: LiveState;
  recent: Recent;
}

const LiveContext = createContext<Live>({ state: "off", recent: NOTHING });

export const useLive = (): Live => useContext(LiveContext);

type News = Tick | "another tenant";

const reduce = (recent: Recent, news: News): Recent => (news === "another tenant" ? NOTHING : apply(recent, news));

/** The tenant's ticks. The client joins again by itself when a connection is lost. */
export function LiveProvider({ children }: { children: ReactNode }) {
  const { supabase, tenant, session } = useSession();
  const [state, setState] = useState<LiveState>("connecting");
  const [recent, tell] = useReducer(reduce, NOTHING);
  const id = tenant?.id;
  const token = session?.access_token;

  useEffect(() => {
    if (supabase && token) supabase.realtime.setAuth(token);
  }, [supabase, token]);

  useEffect(() => {
    if (!supabase || !id) return;
    tell("another tenant");
    setState("connecting");
    const channel = supabase
      .channel(`tenant:${id}:metrics`, { config: { private: true } })
      .on("broadcast", { event: "tick" }, ({ payload }) => tell(payload as Tick))
      .subscribe((status) => setState(status === "SUBSCRIBED" ? "live" : status === "CLOSED" ? "off" : "connecting"));
    return () => {
      supabase.removeChannel(channel);
    };
  }, [supabase, id]);

  return <LiveContext.Provider value={{ state, recent }}>{children}</LiveContext.Provider>;
}
