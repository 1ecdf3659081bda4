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

/** Supabase's client and whose session it holds: undefined until that is known, null for nobody. */
function useSupabase(onTrouble: (trouble: string) => void) {
  const [config, setConfig] = useState<Config | null>(null);
  const [supabase, setSupabase] = useState<SupabaseClient | null>(null);
  const [session, setSession] = useState<Session | null | undefined>(undefined);

  useEffect(() => {
    loadConfig().then(
      (found) => {
        setConfig(found);
        if (!found.supabaseUrl || !found.supabaseKey) return setSession(null);
        setSupabase(createClient(found.supabaseUrl, found.supabaseKey));
      },
      (error: Error) => onTrouble(error.message),
    );
  }, [onTrouble]);

  useEffect(() => {
    if (!supabase) return;
    const { data } = supabase.auth.onAuthStateChange((_, found) => setSession(found));
    return () => data.subscription.unsubscribe();
  }, [supabase]);
  return { config, supabase, session };
}

/** The tenants of whoever is signed in; null until they are known. */
function useMemberships(api: Api, user: string | null, onTrouble: (trouble: string) => void) {
  const [found, setFound] = useState<{ user: string; memberships: Membership[] } | null>(null);
  const reload = useCallback(async () => {
    if (!user) return;
    const { data } = await unwrap(api.GET("/v1/tenants"));
    setFound({ user, memberships: data });
  }, [api, user]);
  useEffect(() => {
    reload().catch((error: Error) => onTrouble(error.message));
  }, [reload, onTrouble]);
  // An answer that comes after another person has signed in is nobody's.
  return { memberships: found && found.user === user ? found.memberships : null, reload };
}

/** Who is signed in, for which tenant, and the way to the API. One client of Supabase for the life of the page. */
export function SessionProvider({ children }: { children: ReactNode }) {
  const [trouble, setTrouble] = useState<string | null>(null);
  const { config, supabase, session } = useSupabase(setTrouble);
  const [chosen, setChosen] = useState<string | null>(null);
  const acting = useRef<string | null>(null);
  useEffect(() => setChosen(window.localStorage.getItem(REMEMBERED)), []);

  const api = useMemo(
    () =>
      createApi(config?.apiUrl ?? "", async () => {
        const tenant = acting.current; // of when it was asked for: renewing a token takes its time
        const found = await supabase?.auth.getSession();
        if (found?.error) throw found.error; // there is a session that could not be renewed: without it the answer would be no
        return { token: found?.data.session?.access_token ?? null, tenant };
      }),
    [config, supabase],
  );

  const user = session?.user.id ?? null;
  const { memberships, reload } = useMemberships(api, user, setTrouble);
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
