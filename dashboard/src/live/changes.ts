"use client";

import { useEffect, useRef } from "react";
import { useSession } from "@/auth/session";
import { follow } from "@/live/follow";

const PAUSE_MS = 1000; // between two times that a change is told: a batch's counts move often

/** Calls `told` soon after a row of the tenant's in one of the tables of few changes was changed, and after each connection:
 * what was changed before it was told to nobody.
 *
 * Where nobody is live nothing is told: what must not be missed is asked for from time to time as well.
 */
export function useChanges(table: "batches" | "experiments" | "alerts", told: () => void): void {
  const { supabase, tenant } = useSession();
  const latest = useRef(told);
  useEffect(() => {
    latest.current = told;
  });
  const id = tenant?.id;
  useEffect(() => {
    if (!supabase || !id) return;
    let pending: ReturnType<typeof setTimeout> | undefined;
    const soon = () => {
      pending ??= setTimeout(() => {
        pending = undefined;
        latest.current();
      }, PAUSE_MS);
    };
    const leave = follow(supabase, {
      topic: `changes:${table}:${id}`,
      hear: (channel) =>
        channel.on("postgres_changes", { event: "*", schema: "public", table, filter: `tenant_id=eq.${id}` }, soon),
      told: (state) => state === "live" && soon(),
    });
    return () => {
      clearTimeout(pending);
      leave();
    };
  }, [supabase, id, table]);
}
