"use client";

import { PolicyForm, type PolicyProps, type Tenant } from "@/components/settings/policy-form";
import { Choice, TextField } from "@/components/ui/field";
import { text } from "@/components/ui/form";

export function NamePolicy({ tenant, onSaved }: PolicyProps) {
  return (
    <PolicyForm title="Tenant" tenant={tenant} onSaved={onSaved} read={(given) => ({ name: text(given, "name") })}>
      <TextField label="Name" name="name" required maxLength={200} defaultValue={tenant.name} />
      <TextField label="Id" defaultValue={tenant.id} readOnly className="font-mono" hint="For the header X-Tenant-Id." />
    </PolicyForm>
  );
}

const PII: readonly (readonly [Tenant["pii"], string])[] = [
  ["off", "Left as it is"],
  ["redact", "Replaced before anything is stored"],
];

export function PrivacyPolicy({ tenant, onSaved }: PolicyProps) {
  return (
    <PolicyForm
      title="Personal data"
      hint="E-mail addresses, telephone and card numbers, keys and the like, in what is asked. What was stored before stays as it is."
      tenant={tenant}
      onSaved={onSaved}
      read={(given) => ({ pii: text(given, "pii") as Tenant["pii"] })}
    >
      <Choice label="Personal data in requests" name="pii" options={PII} defaultValue={tenant.pii} />
    </PolicyForm>
  );
}
