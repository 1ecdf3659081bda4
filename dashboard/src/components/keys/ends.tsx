"use client";

import type { Api } from "@/api/client";
import { useAction } from "@/api/hooks";
import type { DeedProps } from "@/components/keys/types";
import { Confirm } from "@/components/ui/dialog";
import { Choice } from "@/components/ui/field";
import { FormDialog, OVERLAPS, text } from "@/components/ui/form";

const rotate = (api: Api, id: string, overlap_seconds: number) =>
  api.POST("/v1/api-keys/{key_id}/rotate", { params: { path: { key_id: id } }, body: { overlap_seconds } });
const revoke = (api: Api, id: string) => api.DELETE("/v1/api-keys/{key_id}", { params: { path: { key_id: id } } });

export function RotateKey({ apiKey, onClose, onDone }: DeedProps) {
  const { run, busy, problem } = useAction(rotate, { quiet: true });
  const submit = async (given: FormData) => {
    const made = await run(apiKey.id, Number(text(given, "overlap")));
    if (made) onDone(made.data.secret);
  };
  return (
    <FormDialog
      open
      onOpenChange={onClose}
      title={`Rotate ${apiKey.name}`}
      hint="The key gets a new secret; its limits and figures stay. A secret from an earlier rotation ends at once."
      action="Rotate"
      busy={busy}
      problem={problem}
      onSubmit={submit}
    >
      <Choice label="The secret of now works for" name="overlap" options={OVERLAPS} defaultValue="86400" />
    </FormDialog>
  );
}

export function RevokeKey({ apiKey, onClose, onDone }: DeedProps) {
  const { run, busy } = useAction(revoke);
  return (
    <Confirm
      open
      onOpenChange={onClose}
      title={`Revoke ${apiKey.name}?`}
      hint="Programs that use it are refused from now on. This cannot be taken back. Jobs that it has stored go on."
      action="Revoke"
      busy={busy}
      onConfirm={async () => {
        if (await run(apiKey.id)) onDone();
      }}
    />
  );
}
