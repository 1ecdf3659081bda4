"use client";

import type { SupabaseClient } from "@supabase/supabase-js";
import { type FormEvent, useState } from "react";
import { plainWords } from "@/auth/plain-words";
import { Button } from "@/components/ui/button";
import { TextField } from "@/components/ui/field";
import { Wrong } from "@/components/ui/form";

const SHORTEST = 8; // as Supabase advises; a project may ask for more, and then says so

interface Props {
  supabase: SupabaseClient;
  afterwards: string; // where the link in the message leads
  onUnconfirmed: (email: string) => void; // a message was sent; otherwise the session changes
}

export function SignUpForm({ supabase, afterwards, onUnconfirmed }: Props) {
  const [refused, setRefused] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const given = new FormData(event.currentTarget);
    const email = String(given.get("email"));
    setBusy(true);
    setRefused(null);
    const { data, error } = await supabase.auth.signUp({
      email,
      password: String(given.get("password")),
      options: { emailRedirectTo: window.location.origin + afterwards },
    });
    setBusy(false);
    if (error) setRefused(plainWords(error));
    else if (!data.session) onUnconfirmed(email);
  };
  return (
    <form onSubmit={submit} className="grid gap-4">
      <TextField label="Email" name="email" type="email" autoComplete="username" required />
      <TextField
        label="Password"
        name="password"
        type="password"
        autoComplete="new-password"
        minLength={SHORTEST}
        required
        hint={`At least ${SHORTEST} characters.`}
      />
      {refused && <Wrong>{refused}</Wrong>}
      <Button type="submit" look="primary" busy={busy}>
        Create account
      </Button>
    </form>
  );
}
