"use client";

import Link from "next/link";
import { useRouter } from "next/navigation";
import { useEffect, useState } from "react";
import { useSession } from "@/auth/session";
import { useSignUps } from "@/auth/sign-ups";
import { SignUpForm } from "@/components/start/sign-up-form";
import { buttonStyle } from "@/components/ui/button";
import { Loading, Trouble } from "@/components/ui/states";
import { classes } from "@/lib/classes";

const AFTERWARDS = "/start/";

export default function SignUp() {
  const { status, trouble, config, supabase } = useSession();
  const signUps = useSignUps(config);
  const router = useRouter();
  const [unconfirmed, setUnconfirmed] = useState<string | null>(null);

  useEffect(() => {
    if (status === "signed-in") router.replace(AFTERWARDS);
  }, [status, router]);

  const again = () => window.location.reload();
  if (status === "unavailable") return <Trouble error={new Error(trouble ?? "")} retry={again} />;
  if (signUps === "unreachable")
    return <Trouble error={new Error("The server for accounts cannot be reached.")} retry={again} />;
  if (status !== "signed-out" || signUps === "asking") return <Loading />;
  return (
    <main className="mx-auto grid max-w-sm gap-6 px-4 py-16">
      {unconfirmed ? (
        <Unconfirmed email={unconfirmed} />
      ) : supabase && signUps === "open" ? (
        <>
          <h1 className="text-2xl font-semibold tracking-tight">Create an account</h1>
          <SignUpForm supabase={supabase} afterwards={AFTERWARDS} onUnconfirmed={setUnconfirmed} />
        </>
      ) : (
        <Closed />
      )}
      {!unconfirmed && (
        <p className="text-sm text-muted-foreground">
          You have an account?{" "}
          <Link href="/sign-in/" className={classes(buttonStyle({ look: "link" }), "h-auto px-0")}>
            Sign in
          </Link>
        </p>
      )}
    </main>
  );
}

/** The same words whether or not the address had an account before: strangers do not learn who has one. */
function Unconfirmed({ email }: { email: string }) {
  return (
    <>
      <h1 className="text-2xl font-semibold tracking-tight">Confirm your address</h1>
      <p role="status" className="text-sm wrap-anywhere">
        A message is on its way to <strong>{email}</strong>. Follow the link in it, and you are signed in here. If none
        comes within a few minutes, look among unwanted messages; whoever has an account with this address already gets
        none.
      </p>
    </>
  );
}

function Closed() {
  return (
    <>
      <h1 className="text-2xl font-semibold tracking-tight">No new accounts here</h1>
      <p className="text-sm">
        Whoever runs this service adds people: with <code>aico users create</code>, or in the Supabase project. At the
        accounts of <code>aico up</code>, <code>AUTH_SIGNUP=true</code> lets people add themselves.
      </p>
    </>
  );
}
