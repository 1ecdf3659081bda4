"use client";

import type { SupabaseClient } from "@supabase/supabase-js";
import Link from "next/link";
import { useRouter } from "next/navigation";
import { type FormEvent, useEffect, useState } from "react";
import { plainWords } from "@/auth/plain-words";
import { useSession } from "@/auth/session";
import { useSignUps } from "@/auth/sign-ups";
import { Button, buttonStyle } from "@/components/ui/button";
import { TextField } from "@/components/ui/field";
import { Loading, Trouble } from "@/components/ui/states";
import { classes } from "@/lib/classes";
import { destination } from "@/lib/destination";

export default function SignIn() {
  const { status, trouble, config, supabase } = useSession();
  const signUps = useSignUps(config);
  const router = useRouter();

  useEffect(() => {
    if (status === "signed-in") router.replace(destination(window.location.search));
  }, [status, router]);

  if (status === "unavailable")
    return <Trouble error={new Error(trouble ?? "")} retry={() => window.location.reload()} />;
  if (status !== "signed-out") return <Loading />;

  return (
    <main className="mx-auto grid max-w-sm gap-6 px-4 py-16">
      <h1 className="text-2xl font-semibold tracking-tight">Sign in</h1>
      {supabase ? (
        <SignInForm supabase={supabase} />
      ) : (
        <p className="text-sm">
          Nobody can sign in here: this installation has no Supabase project. Set <code>SUPABASE_URL</code> and{" "}
          <code>SUPABASE_ANON_KEY</code>.
        </p>
      )}
      {signUps === "open" && (
        <p className="text-sm text-muted-foreground">
          You are new here?{" "}
          <Link href="/sign-up/" className={classes(buttonStyle({ look: "link" }), "h-auto px-0")}>
            Create an account
          </Link>
        </p>
      )}
    </main>
  );
}

function SignInForm({ supabase }: { supabase: SupabaseClient }) {
  const [refused, setRefused] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const given = new FormData(event.currentTarget);
    setBusy(true);
    setRefused(null);
    const { error } = await supabase.auth.signInWithPassword({
      email: String(given.get("email")),
      password: String(given.get("password")),
    });
    setBusy(false);
    if (error) setRefused(plainWords(error));
  };
  return (
    <form onSubmit={submit} className="grid gap-4">
      <TextField label="Email" name="email" type="email" autoComplete="username" required />
      <TextField
        label="Password"
        name="password"
        type="password"
        autoComplete="current-password"
        required
        error={refused}
      />
      <Button type="submit" look="primary" busy={busy}>
        Sign in
      </Button>
    </form>
  );
}
