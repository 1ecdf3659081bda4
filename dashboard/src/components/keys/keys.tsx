"use client";

import { useState } from "react";
import { useResource } from "@/api/hooks";
import { usePaged } from "@/api/paged";
import { usePermitted } from "@/auth/permitted";
import { ChangeKey, MakeKey } from "@/components/keys/forms";
import { RevokeKey, RotateKey } from "@/components/keys/ends";
import { KeyTable } from "@/components/keys/table";
import type { ApiKey, KeyDeed } from "@/components/keys/types";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { Paged } from "@/components/ui/paged";
import { SecretOnce } from "@/components/ui/secret";
import { Empty } from "@/components/ui/states";

/** The list, and what can be done to a key. One window is open at a time. */
export function Keys() {
  const found = usePaged<ApiKey>(["api-keys"], (api, after) =>
    api.GET("/v1/api-keys", { params: { query: { after, limit: 50 } } }),
  );
  const quotas = useResource(usePermitted("usage:read") ? ["quotas"] : null, (api) => api.GET("/v1/quotas"));
  const [deed, setDeed] = useState<KeyDeed | null>(null);
  const [secret, setSecret] = useState<string | null>(null);
  const close = () => setDeed(null);
  const done = (shown?: string) => {
    close();
    found.mutate();
    if (shown) setSecret(shown);
  };
  const make = (
    <Button look="primary" onClick={() => setDeed({ name: "make" })}>
      Make a key
    </Button>
  );
  return (
    <Card title="Keys" hint="Newest first, with those that are over." actions={make}>
      <Paged found={found} empty={<Empty title="No key yet">Make one, and send your first request with it.</Empty>}>
        {(rows) => <KeyTable keys={rows} quotas={quotas.data?.data ?? []} onDeed={setDeed} />}
      </Paged>
      {deed?.name === "make" && <MakeKey onClose={close} onDone={done} />}
      {deed?.name === "change" && <ChangeKey apiKey={deed.apiKey} onClose={close} onDone={done} />}
      {deed?.name === "rotate" && <RotateKey apiKey={deed.apiKey} onClose={close} onDone={done} />}
      {deed?.name === "revoke" && <RevokeKey apiKey={deed.apiKey} onClose={close} onDone={done} />}
      <SecretOnce
        title="The key's secret"
        secret={secret}
        onDone={() => setSecret(null)}
        hint={
          <>
            Programs send it as <code>Authorization: Bearer …</code>. Treat it like a password.
          </>
        }
      />
    </Card>
  );
}
