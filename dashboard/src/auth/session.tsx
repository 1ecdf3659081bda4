"use client";

import { createClient, type Session, type SupabaseClient } from "@supabase/supabase-js";
import { createContext, type ReactNode, useCallback, useContext, useEffect, useMemo, useRef, useState } from "react";
import { SWRConfig } from "swr";
import { type Api, createApi, unwrap } from "@/api/client";
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
  const [memberships, setMemberships] = useState<Membership[] | null>(null);
  const [chosen, setChosen] = useState<string | null>(null);
  const acting = useRef<string | null>(null);

  useEffect(() => {
    loadConfig().then(
      (found) => {
        setConfig(found);
        if (!found.supabaseUrl || !found.supabaseKey) return setSession(null);
        setSupabase(createClient(found.supabaseUrl, found.supabaseKey));
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
        const found = await supabase?.auth.getSession();
        return { token: found?.data.session?.access_token ?? null, tenant: acting.current };
      }),
    [config, supabase],
  );

  const user = session?.user.id ?? null;
  const reload = useCallback(async () => {
    const found = await unwrap(api.GET("/v1/tenants"));
    setMemberships(found.data);
  }, [api]);
  useEffect(() => {
    setMemberships(null);
    if (user) reload().catch((error: Error) => setTrouble(error.message));
  }, [user, reload]);

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
      <SWRConfig key={`${user}:${tenant?.id}`} value={{ provider: () => new Map(), shouldRetryOnError: false }}>
        {children}
      </SWRConfig>
    </SessionContext.Provider>
  );
}
