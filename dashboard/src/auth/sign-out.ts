"use client";

import { toast } from "sonner";
import { plainWords } from "@/auth/plain-words";
import { useSession } from "@/auth/session";

/** Ends the sign-in of this browser. Supabase keeps it where it cannot be told: then that is said. */
export function useSignOut(): () => Promise<void> {
  const { supabase } = useSession();
  return async () => {
    const done = await supabase?.auth.signOut({ scope: "local" });
    if (done?.error) toast.error(`You are still signed in. ${plainWords(done.error)}`);
  };
}
