"use client";

import { useEffect, useState } from "react";
import { useSession } from "@/auth/session";
import { Accept } from "@/components/members/accept";
import { SignInFirst } from "@/components/members/sign-in-first";
import { takeToken } from "@/components/members/link";
import { Loading, Trouble } from "@/components/ui/states";

/** Outside of the frame: whoever comes here may belong to no tenant yet. */
export default function Invitation() {
  const { status, trouble } = useSession();
  const [token, setToken] = useState<string | null | undefined>(undefined); // undefined: not looked yet
  useEffect(() => setToken(takeToken()), []);
  return (
    <main className="mx-auto grid max-w-md gap-6 px-4 py-16">
      <h1 className="text-2xl font-semibold tracking-tight">Invitation</h1>
      {status === "unavailable" ? (
        <Trouble error={new Error(trouble ?? "")} retry={() => window.location.reload()} />
      ) : status === "loading" || token === undefined ? (
        <Loading />
      ) : status === "signed-out" ? (
        <SignInFirst />
      ) : (
        <Accept token={token ?? ""} />
      )}
    </main>
  );
}
