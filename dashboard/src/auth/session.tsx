"use client";

import { createClient, type Session, type SupabaseClient } from "@supabase/supabase-js";
import { createContext, type ReactNode, useCallback, useContext, useEffect, useMemo, useRef, useState } from "react";
import { SWRConfig, type SWRConfiguration } from "swr";
import { type Api, createApi, mayPass, Problem, unwrap } from "@/api/client";
import type { components } from "@/api/schema";
import { type Config, loadConfig } from "@/lib/config";

export type Membership = components["schemas"]["MembershipView"];

interface Known {
  status: "loading" | "unavailable" | "signed-out" | "signed-in";
  trouble: string | null; // of "unavailable"
  config: Config | null;
  supabase: SupabaseClient | null;
  session: Session | null;
  api: Api;
  memberships: Membership[] | null; // null: not known yet
  tenant: Membership | null; // acted for
  choose: (tenant: string) => void;
  reload: () => Promise<void>; // memberships, after one was added
}

/** A failure that may pass is tried again; one that is left would end all polling of its resource. */
const FRESH: SWRConfiguration<unknown, Error> = {
  provider: () => new Map(),
  shouldRetryOnError: (error) => error instanceof Problem && mayPass(error),
};
const REMEMBERED = "aico.tenant";
const SessionContext = createContext<Known | null>(null);

export function useSession(): Known {
  const known = useContext(SessionContext);
  if (!known) throw new Error("useSession outside of SessionProvider");
  return known;
}

/** Who is signed in, for which tenant, and the way to the API. One client of Supabase for the life of the page. */
export function SessionProvider({ children }: { children: ReactNode }) {
  const [config, setConfig] = useState<Config | null>(null);
  const [trouble, setTrouble] = useState<string | null>(null);
  const [supabase, setSupabase] = useState<SupabaseClient | null>(null);
  const [session, setSession] = useState<Session | null | undefined>(undefined);
  const [found, setFound] = useState<{ user: string; memberships: Membership[] } | null>(null);
  const [chosen, setChosen] = useState<string | null>(null);
  const acting = useRef<string | null>(null);

  useEffect(() => {
    loadConfig().then(
      (known) => {
        setConfig(known);
        if (!known.supabaseUrl || !known.supabaseKey) return setSession(null);
        setSupabase(createClient(known.supabaseUrl, known.supabaseKey));
      },
      (error: Error) => setTrouble(error.message),
    );
    setChosen(window.localStorage.getItem(REMEMBERED));
  }, []);

  useEffect(() => {
    if (!supabase) return;
    const { data } = supabase.auth.onAuthStateChange((_, found) => setSession(found));
    return () => data.subscription.unsubscribe();
  }, [supabase]);

  const api = useMemo(
    () =>
      createApi(config?.apiUrl ?? "", async () => {
        const tenant = acting.current; // of when it was asked for: renewing a token takes its time
        const found = await supabase?.auth.getSession();
        return { token: found?.data.session?.access_token ?? null, tenant };
      }),
    [config, supabase],
  );

  const user = session?.user.id ?? null;
  const reload = useCallback(async () => {
    if (!user) return;
    const { data } = await unwrap(api.GET("/v1/tenants"));
    setFound({ user, memberships: data });
  }, [api, user]);
  useEffect(() => {
    reload().catch((error: Error) => setTrouble(error.message));
  }, [reload]);
  // An answer that comes after another person has signed in is nobody's.
  const memberships = found?.user === user ? (found?.memberships ?? null) : null;

  const choose = useCallback((tenant: string) => {
    window.localStorage.setItem(REMEMBERED, tenant);
    setChosen(tenant);
  }, []);
  const tenant = memberships?.find((one) => one.id === chosen) ?? memberships?.[0] ?? null;
  acting.current = tenant?.id ?? null;

  const status = trouble ? "unavailable" : session === undefined ? "loading" : session ? "signed-in" : "signed-out";
  return (
    <SessionContext.Provider
      value={{ status, trouble, config, supabase, session: session ?? null, api, memberships, tenant, choose, reload }}
    >
      {/* Another person, or another tenant, sees nothing of what was kept for the last one. */}
      <SWRConfig key={`${user}:${tenant?.id}`} value={FRESH}>
        {children}
      </SWRConfig>
    </SessionContext.Provider>
  );
}
