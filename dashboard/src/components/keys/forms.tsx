"use client";

import { useState } from "react";
import type { Api } from "@/api/client";
import { useAction } from "@/api/hooks";
import type { components } from "@/api/schema";
import { type Permission, usePermitted } from "@/auth/permitted";
import { useSession } from "@/auth/session";
import { ModelLimit, modelsOf } from "@/components/keys/models";
import { type DeedProps, SCOPES, USUAL_SCOPES } from "@/components/keys/types";
import { Check, Choice, TextField } from "@/components/ui/field";
import { Choices, FormDialog, text, texts, Wrong } from "@/components/ui/form";
import { onDay } from "@/lib/format";

type KeyRequest = components["schemas"]["KeyRequest"];
type KeyChange = components["schemas"]["KeyChange"];

const DAY_MS = 86_400_000;
const LIVES: readonly (readonly [days: string, name: string])[] = [
  ["", "It does not expire"],
  ["7", "In a week"],
  ["30", "In 30 days"],
  ["90", "In 90 days"],
  ["365", "In a year"],
];
const AS_IT_IS = "as it is";

const make = (api: Api, body: KeyRequest) => api.POST("/v1/api-keys", { body });
const change = (api: Api, id: string, body: KeyChange) =>
  api.PATCH("/v1/api-keys/{key_id}", { params: { path: { key_id: id } }, body });

const expiry = (days: string): string | null => (days ? new Date(Date.now() + Number(days) * DAY_MS).toISOString() : null);

export function MakeKey({ onClose, onDone }: Omit<DeedProps, "apiKey">) {
  const { run, busy, problem } = useAction(make, { quiet: true });
  const { tenant } = useSession();
  const models = usePermitted("usage:read");
  const [unchosen, setUnchosen] = useState(false);
  const submit = async (given: FormData) => {
    const scopes = texts(given, "scopes") as Permission[];
    setUnchosen(scopes.length === 0); // the service takes none for the usual ones
    if (scopes.length === 0) return;
    const made = await run({
      name: text(given, "name"),
      scopes,
      expires_at: expiry(text(given, "life")),
      models: modelsOf(given),
    });
    if (made) onDone(made.data.secret);
  };
  return (
    <FormDialog
      open
      onOpenChange={onClose}
      title="Make an API key"
      hint="Its secret is shown once, after this."
      action="Make the key"
      busy={busy}
      problem={problem}
      onSubmit={submit}
    >
      <TextField label="Name" name="name" required maxLength={200} placeholder="support bot" hint="To tell it from others." />
      <Choices legend="It may">
        <div className="grid gap-2 sm:grid-cols-2">
          {SCOPES.filter(([scope]) => tenant?.permissions.includes(scope)).map(([scope, words]) => (
            <Check
              key={scope}
              name="scopes"
              value={scope}
              label={scope}
              hint={words}
              defaultChecked={USUAL_SCOPES.includes(scope)}
            />
          ))}
        </div>
        {unchosen && <Wrong>Choose at least one thing that it may do.</Wrong>}
      </Choices>
      <Choice label="Expires" name="life" options={LIVES} />
      {models && <ModelLimit limit={null} />}
    </FormDialog>
  );
}

export function ChangeKey({ apiKey, onClose, onDone }: DeedProps) {
  const { run, busy, problem } = useAction(change, { quiet: true });
  const models = usePermitted("usage:read");
  const lives = apiKey.expires_at ? ([[AS_IT_IS, `As it is: ${onDay(apiKey.expires_at)}`], ...LIVES] as const) : LIVES;
  const submit = async (given: FormData) => {
    const life = text(given, "life");
    const body: KeyChange = { name: text(given, "name") };
    if (life !== AS_IT_IS && (life || apiKey.expires_at)) body.expires_at = expiry(life);
    if (models) body.models = modelsOf(given);
    if (await run(apiKey.id, body)) onDone();
  };
  return (
    <FormDialog
      open
      onOpenChange={onClose}
      title={`Change ${apiKey.name}`}
      hint="It goes on under the same secret. What it may do stays as it was made."
      action="Save"
      busy={busy}
      problem={problem}
      onSubmit={submit}
    >
      <TextField label="Name" name="name" required maxLength={200} defaultValue={apiKey.name} />
      <Choice label="Expires" name="life" options={lives} />
      {models && <ModelLimit limit={apiKey.models} />}
    </FormDialog>
  );
}
