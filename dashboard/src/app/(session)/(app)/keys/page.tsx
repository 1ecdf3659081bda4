"use client";

import { Permitted } from "@/auth/permitted";
import { Keys } from "@/components/keys/keys";
import { PageTitle } from "@/components/shell/frame";

export default function ApiKeys() {
  return (
    <>
      <PageTitle title="API keys">With a key, programs speak for this tenant. Each key has limits of its own.</PageTitle>
      <Permitted permission="keys:write" to="see API keys">
        <Keys />
      </Permitted>
    </>
  );
}
