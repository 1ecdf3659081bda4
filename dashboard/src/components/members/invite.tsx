"use client";

import type { Api } from "@/api/client";
import { useAction } from "@/api/hooks";
import { ROLES, type Role, useGrantable } from "@/components/members/roles";
import { Choice, TextField } from "@/components/ui/field";
import { FormDialog, text } from "@/components/ui/form";

const invite = (api: Api, email: string, role: Role) => api.POST("/v1/invitations", { body: { email, role } });

export function InviteForm({ onClose, onDone }: { onClose: () => void; onDone: (token: string) => void }) {
  const { run, busy, problem } = useAction(invite, { quiet: true });
  const grantable = useGrantable();
  const options = ROLES.filter(([role]) => grantable(role)).map(([role, words]) => [role, `${role}: ${words}`] as const);
  const submit = async (given: FormData) => {
    const made = await run(text(given, "email"), text(given, "role") as Role);
    if (made) onDone(made.data.token);
  };
  return (
    <FormDialog
      open
      onOpenChange={onClose}
      title="Invite somebody"
      hint="You are shown a link, once, and send it."
      action="Invite"
      busy={busy}
      problem={problem}
      onSubmit={submit}
    >
      <TextField label="Email" name="email" type="email" required maxLength={320} autoComplete="off" />
      <Choice label="Role" name="role" options={options} defaultValue="member" />
    </FormDialog>
  );
}
