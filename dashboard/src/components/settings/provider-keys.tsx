"use client";

import { useState } from "react";
import type { Api } from "@/api/client";
import { useAction, useResource } from "@/api/hooks";
import type { components } from "@/api/schema";
import { usePermitted } from "@/auth/permitted";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { Confirm } from "@/components/ui/dialog";
import { Choice, TextField } from "@/components/ui/field";
import { FormDialog, text } from "@/components/ui/form";
import { Empty, Loaded } from "@/components/ui/states";
import { type Column, Table } from "@/components/ui/table";
import { onDay } from "@/lib/format";

type ProviderKey = components["schemas"]["ProviderKeyView"];

export function ProviderKeys() {
  const found = useResource(["provider-keys"], (api) => api.GET("/v1/provider-keys"));
  const mayWrite = usePermitted("settings:write");
  const [setting, setSetting] = useState<string | null>(null); // the provider; "" is to be chosen
  const [deleting, setDeleting] = useState<ProviderKey | null>(null);
  const done = () => {
    setSetting(null);
    setDeleting(null);
    found.mutate();
  };
  const columns: Column<ProviderKey>[] = [
    { name: "Provider", cell: (key) => <span className="font-medium">{key.provider}</span> },
    { name: "Key", cell: (key) => (key.hint ? <code>…{key.hint}</code> : <Badge>set</Badge>) },
    { name: "Since", wide: true, cell: (key) => <span className="whitespace-nowrap">{onDay(key.created_at)}</span> },
    { name: "Set by", wide: true, cell: (key) => <span className="wrap-anywhere">{key.created_by}</span> },
    ...(mayWrite ? [{ name: "Actions", cell: (key: ProviderKey) => <Deeds of={key} onSet={setSetting} onDelete={setDeleting} /> }] : []),
  ];
  const set = mayWrite && (
    <Button look="primary" onClick={() => setSetting("")}>
      Set a key
    </Button>
  );
  return (
    <Card
      title="Keys of your own for providers"
      hint="Your jobs are called with them, and the provider sends you its bill. A key is encrypted and never shown again."
      actions={set}
    >
      <Loaded found={found}>
        {({ data }) =>
          data.length === 0 ? (
            <Empty title="No key of your own">What the operator has configured is used. Set a key to be billed by the provider yourself.</Empty>
          ) : (
            <Table label="Provider keys" columns={columns} rows={data} rowKey={(key) => key.id} />
          )
        }
      </Loaded>
      {setting !== null && <SetKey provider={setting} onClose={() => setSetting(null)} onDone={done} />}
      {deleting && <DeleteKey of={deleting} onClose={() => setDeleting(null)} onDone={done} />}
    </Card>
  );
}

interface DeedsProps {
  of: ProviderKey;
  onSet: (provider: string) => void;
  onDelete: (key: ProviderKey) => void;
}

function Deeds({ of, onSet, onDelete }: DeedsProps) {
  return (
    <div className="flex gap-1">
      <Button size="small" aria-label={`Replace the key for ${of.provider}`} onClick={() => onSet(of.provider)}>
        Replace
      </Button>
      <Button size="small" look="danger" aria-label={`Delete the key for ${of.provider}`} onClick={() => onDelete(of)}>
        Delete
      </Button>
    </div>
  );
}

const put = (api: Api, provider: string, api_key: string) =>
  api.PUT("/v1/provider-keys/{provider}", { params: { path: { provider } }, body: { api_key } });

function SetKey({ provider, onClose, onDone }: { provider: string; onClose: () => void; onDone: () => void }) {
  const { run, busy, problem } = useAction(put, { quiet: true });
  const found = useResource(["providers"], (api) => api.GET("/providers"));
  const submit = async (given: FormData) => {
    if (await run(provider || text(given, "provider"), text(given, "api_key"))) onDone();
  };
  return (
    <FormDialog
      open
      onOpenChange={onClose}
      title={provider ? `Replace the key for ${provider}` : "Set a provider key"}
      hint="Whether the provider accepts it is seen with the first call."
      action="Set it"
      busy={busy}
      problem={problem}
      onSubmit={submit}
    >
      {!provider && (
        <Loaded found={found}>
          {({ providers }) => (
            <Choice label="Provider" name="provider" options={providers.map(({ name }) => [name, name] as const)} />
          )}
        </Loaded>
      )}
      <TextField
        label="Key"
        name="api_key"
        type="password"
        required
        minLength={8}
        maxLength={512}
        autoComplete="off"
        hint="As the provider issued it. Nobody is shown it again."
      />
    </FormDialog>
  );
}

const remove = (api: Api, provider: string) => api.DELETE("/v1/provider-keys/{provider}", { params: { path: { provider } } });

function DeleteKey({ of, onClose, onDone }: { of: ProviderKey; onClose: () => void; onDone: () => void }) {
  const { run, busy } = useAction(remove);
  return (
    <Confirm
      open
      onOpenChange={onClose}
      title={`Delete the key for ${of.provider}?`}
      hint="The operator's key is used instead, where there is one. Batches that were made with it are given up, and their jobs called directly."
      action="Delete"
      busy={busy}
      onConfirm={async () => {
        if (await run(of.provider)) onDone();
      }}
    />
  );
}
