"use client";

import { useRouter } from "next/navigation";
import type { FormEvent } from "react";
import type { Api } from "@/api/client";
import { useAction } from "@/api/hooks";
import { useSession } from "@/auth/session";
import { useSignOut } from "@/auth/sign-out";
import { forgetToken } from "@/components/members/link";
import { Button } from "@/components/ui/button";
import { TextField } from "@/components/ui/field";
import { text } from "@/components/ui/form";

const accept = (api: Api, token: string) => api.POST("/v1/invitations/accept", { body: { token } });

/** Asks before anybody becomes a member: a link that was merely opened changes nothing. */
export function Accept({ token }: { token: string }) {
  const { session, reload, choose } = useSession();
  const signOut = useSignOut();
  const { run, busy, problem } = useAction(accept, { quiet: true });
  const router = useRouter();
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const joined = await run(text(new FormData(event.currentTarget), "token"));
    if (!joined) return;
    forgetToken();
    await reload();
    choose(joined.data.id);
    router.replace("/overview/");
  };
  return (
    <>
      <p className="text-sm">
        You are signed in as <strong className="wrap-anywhere">{session?.user.email}</strong>. The invitation must be for this address.
      </p>
      <form onSubmit={submit} className="grid gap-4">
        <TextField
          label="Invitation token"
          name="token"
          required
          maxLength={200}
          autoComplete="off"
          defaultValue={token}
          error={problem?.message}
        />
        <div className="flex flex-wrap gap-2">
          <Button type="submit" look="primary" busy={busy}>
            Accept
          </Button>
          <Button look="quiet" onClick={signOut}>
            Sign in as somebody else
          </Button>
        </div>
      </form>
    </>
  );
}
