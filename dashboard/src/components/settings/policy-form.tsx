"use client";

import { type FormEvent, type ReactNode, useState } from "react";
import { toast } from "sonner";
import type { Api } from "@/api/client";
import { useAction } from "@/api/hooks";
import type { components } from "@/api/schema";
import { usePermitted } from "@/auth/permitted";
import { useSession } from "@/auth/session";
import { AMOUNT, dollarsOf } from "@/components/budgets/words";
import { type Change, changed, only, type Tenant } from "@/components/settings/changed";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { Choice, TextField } from "@/components/ui/field";
import { Refused } from "@/components/ui/form";


export type { Change, Tenant };

export interface PolicyProps {
  tenant: Tenant;
  models: readonly string[];
  onSaved: () => void;
}

/** What is left out stays: the description has defaults for it, so its type asks for all. */
const change = (api: Api, body: Change) => api.PATCH("/v1/tenant", { body: body as components["schemas"]["TenantChange"] });

interface Props extends Omit<PolicyProps, "models"> {
  title: string;
  hint?: string;
  read: (given: FormData) => Change;
  children: ReactNode;
}

/** A part of the policy. Only what differs from what the form began with is sent, so that nothing is undone that somebody else
 * has changed since.
 */
export function PolicyForm({ title, hint, tenant, read, onSaved, children }: Props) {
  const { run, busy, problem } = useAction(change, { quiet: true });
  const [begun, setBegun] = useState(tenant);
  const { reload } = useSession();
  const mayWrite = usePermitted("settings:write");
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const wanted = changed(begun, read(new FormData(event.currentTarget)));
    if (Object.keys(wanted).length === 0) return void toast.info("Nothing was changed.");
    const saved = await run(wanted);
    if (!saved) return;
    setBegun((before) => ({ ...before, ...only(saved.data, Object.keys(wanted)) }));
    toast.success("Saved. It holds from the next request on.");
    onSaved();
    if (wanted.name) await reload(); // it is shown in the frame too
  };
  return (
    <Card title={title} hint={hint}>
      <form onSubmit={submit} className="grid max-w-xl gap-4">
        <fieldset disabled={!mayWrite} className="grid min-w-0 gap-4">
          {children}
        </fieldset>
        <Refused problem={problem} />
        {mayWrite ? (
          <Button type="submit" busy={busy} className="justify-self-start">
            Save
          </Button>
        ) : (
          <p className="text-sm text-muted-foreground">Owners and admins change this.</p>
        )}
      </form>
    </Card>
  );
}

const DEFAULT = "The service's default";

/** One of a few values, or the service's default. */
export function DefaultChoice({
  options,
  value,
  ...rest
}: {
  label: string;
  name: string;
  hint?: ReactNode;
  options: readonly (readonly [string, string])[];
  value: string | null;
}) {
  return <Choice {...rest} options={[["", DEFAULT], ...options]} defaultValue={value ?? ""} />;
}

/** A number, or nothing for the service's default. */
export function DefaultNumber({
  value,
  ...rest
}: {
  label: string;
  name: string;
  hint?: ReactNode;
  value: number | string | null;
  min?: number;
  max?: number;
  step?: number | "any";
}) {
  return <TextField type="number" inputMode="decimal" step="any" placeholder={DEFAULT} {...rest} defaultValue={value ?? ""} />;
}

/** An amount of money, or nothing for the service's default. */
export function DefaultAmount({ cents, ...rest }: { label: string; name: string; hint?: ReactNode; cents: string | null }) {
  const title = "An amount, such as 25 or 0.50, with a point and not a comma";
  return <TextField inputMode="decimal" pattern={AMOUNT} title={title} placeholder={DEFAULT} {...rest} defaultValue={cents ? dollarsOf(cents) : ""} />;
}

/** A model of those that are known; the one that is set stays choosable. */
export function ModelChoice({ models, value, ...rest }: { label: string; name: string; hint?: ReactNode; models: readonly string[]; value: string | null }) {
  const known = value && !models.includes(value) ? [value, ...models] : models;
  return <DefaultChoice {...rest} options={known.map((id) => [id, id] as const)} value={value} />;
}
