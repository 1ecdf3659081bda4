"use client";

import { useState } from "react";
import type { Api } from "@/api/client";
import { useAction } from "@/api/hooks";
import type { components } from "@/api/schema";
import { centsOf, dollarsOf, numberOf, type Quota, scopeParts } from "@/components/budgets/words";
import { Choice, TextField } from "@/components/ui/field";
import { FormDialog, text } from "@/components/ui/form";

type QuotaRequest = components["schemas"]["QuotaRequest"];
type ApiKey = components["schemas"]["aico__api__key_schemas__KeyView"];
type Kind = ReturnType<typeof scopeParts>["kind"];

const put = (api: Api, body: QuotaRequest) => api.PUT("/v1/quotas", { body });

const KINDS: readonly (readonly [Kind, string])[] = [
  ["tenant", "Everything of the tenant"],
  ["key", "One API key"],
  ["tag", "Jobs with a tag"],
];
const PERIODS: readonly (readonly [Quota["period"], string])[] = [
  ["minute", "A minute"],
  ["day", "A day"],
  ["month", "A month"],
];
const UNITS: readonly (readonly [Quota["unit"], string])[] = [
  ["cents", "US dollars"],
  ["tokens", "Tokens in and out"],
  ["requests", "Requests that a provider answers"],
];

interface Props {
  from: Partial<Quota>; // empty: a new one
  keys: readonly ApiKey[];
  onClose: () => void;
  onDone: () => void;
}

export function SetQuota({ from, keys, onClose, onDone }: Props) {
  const { run, busy, problem } = useAction(put, { quiet: true });
  const begun = scopeParts(from.scope ?? "tenant");
  const fixed = from.scope !== undefined; // these three name it: with others it would be another one
  const [kind, setKind] = useState<Kind>(begun.kind);
  const [unit, setUnit] = useState<Quota["unit"]>(from.unit ?? "cents");
  const [wrong, setWrong] = useState<string | null>(null);
  const submit = async (given: FormData) => {
    const limit = limitOf(text(given, "limit"), unit);
    setWrong(limit === null ? "An amount, such as 25 or 0.50, with a point and not a comma." : null);
    if (limit === null) return;
    const scope = fixed ? (from.scope ?? "tenant") : kind === "tenant" ? kind : `${kind}:${text(given, "of")}`;
    const period = from.period ?? (text(given, "period") as Quota["period"]);
    if (await run({ scope, period, unit, limit })) onDone();
  };
  return (
    <FormDialog
      open
      onOpenChange={onClose}
      title={fixed ? "Change the limit" : "Set a limit"}
      hint="A request for which there is no room is refused and stores nothing. Answers from the exact cache are served on."
      action="Set it"
      busy={busy}
      problem={problem}
      onSubmit={submit}
    >
      {!fixed && (
        <>
          <Choice label="Of" value={kind} options={KINDS} onChange={(event) => setKind(event.target.value as Kind)} />
          {kind === "tag" && <TextField label="Tag" name="of" required maxLength={64} />}
          {kind === "key" && <KeyChoice keys={keys} />}
          <Choice label="In" name="period" options={PERIODS} defaultValue="month" />
          <Choice label="Unit" value={unit} options={UNITS} onChange={(event) => setUnit(event.target.value as Quota["unit"])} />
        </>
      )}
      <TextField
        label={unit === "cents" ? "Limit in US dollars" : `Limit in ${unit}`}
        name="limit"
        inputMode="decimal"
        required
        defaultValue={from.limit && (unit === "cents" ? dollarsOf(from.limit) : from.limit)}
        error={wrong}
        hint={unit === "cents" ? "A model without a known price counts as nothing: limit tokens as well." : undefined}
      />
    </FormDialog>
  );
}

function KeyChoice({ keys }: { keys: readonly ApiKey[] }) {
  const live = keys.filter((key) => key.state === "live").map((key) => [key.id, `${key.name} (${key.prefix}…)`] as const);
  if (live.length > 0) return <Choice label="Key" name="of" options={live} />;
  return <TextField label="The key's id" name="of" required />;
}

const PLAIN = /^\d{1,16}(\.\d{1,6})?$/;

function limitOf(given: string, unit: Quota["unit"]): string | null {
  if (unit === "cents") return centsOf(given);
  const plain = numberOf(given);
  return plain !== null && PLAIN.test(plain) ? plain : null;
}
