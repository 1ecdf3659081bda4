"use client";

import { useEffect, useState } from "react";
import type { Config } from "@/lib/config";

export type SignUps = "asking" | "open" | "closed" | "unreachable";

/** Whether people may make their own accounts. The Supabase project decides that, and tells everybody. */
export function useSignUps(config: Config | null): SignUps {
  const [found, setFound] = useState<SignUps>("asking");
  useEffect(() => {
    if (!config) return;
    let left = false;
    ask(config).then((answer) => {
      if (!left) setFound(answer);
    });
    return () => {
      left = true;
    };
  }, [config]);
  return found;
}

async function ask({ supabaseUrl, supabaseKey }: Config): Promise<SignUps> {
  if (!supabaseUrl || !supabaseKey) return "closed";
  try {
    const response = await fetch(`${supabaseUrl}/auth/v1/settings`, { headers: { apikey: supabaseKey } });
    if (!response.ok) return "unreachable";
    const settings: { disable_signup?: boolean } = await response.json();
    return settings.disable_signup === false ? "open" : "closed";
  } catch {
    return "unreachable"; // what was wrong with the network, or with the answer, helps nobody who wants an account
  }
}
