"use client";

import { useState } from "react";
import type { Api } from "@/api/client";
import { useAction, useResource } from "@/api/hooks";
import type { components } from "@/api/schema";
import { Choice, TextArea, TextField } from "@/components/ui/field";
import { FormDialog, text } from "@/components/ui/form";

type Request = components["schemas"]["ErasureRequest"];
type Kind = "tag" | "before" | "job_ids" | "everything";

const create = (api: Api, body: Request) => api.POST("/v1/erasures", { body });

const KINDS: readonly (readonly [Kind, string])[] = [
  ["tag", "Jobs with a tag"],
  ["before", "Jobs from before a time"],
  ["job_ids", "Certain jobs, by id"],
  ["everything", "Everything"],
];

function scopeOf(kind: Kind, given: FormData): Request["scope"] {
  switch (kind) {
    case "tag":
      return { tag: text(given, "tag") };
    case "before":
      return { before: new Date(text(given, "before")).toISOString() };
    case "job_ids":
      return { job_ids: text(given, "job_ids").split(/[\s,]+/) };
    case "everything":
      return { everything: true };
  }
}

/** Asks for the tenant's name: it is what the service wants to be told before it erases anything. */
export function EraseForm({ onClose, onDone }: { onClose: () => void; onDone: () => void }) {
  const { run, busy, problem } = useAction(create, { quiet: true });
  const tenant = useResource(["tenant"], (api) => api.GET("/v1/tenant"));
  const [kind, setKind] = useState<Kind>("tag");
  const submit = async (given: FormData) => {
    if (await run({ scope: scopeOf(kind, given), confirm: text(given, "confirm") })) onDone();
  };
  return (
    <FormDialog
      open
      onOpenChange={onClose}
      title="Erase"
      hint="What is erased cannot be brought back."
      action="Erase for good"
      look="danger"
      busy={busy}
      problem={problem}
      onSubmit={submit}
    >
      <Choice label="What" value={kind} options={KINDS} onChange={(event) => setKind(event.target.value as Kind)} />
      {kind === "tag" && <TextField label="Tag" name="tag" required maxLength={64} />}
      {kind === "before" && <TextField label="Before" name="before" type="datetime-local" required />}
      {kind === "job_ids" && <TextArea label="Ids of jobs" name="job_ids" required hint="At most 1,000, one a line." />}
      {kind === "everything" && (
        <p className="text-sm text-danger">
          All jobs, files, batches and kept answers go. Members, keys, settings, amounts and the audit log stay.
        </p>
      )}
      <TextField
        label="The tenant's name, to confirm"
        name="confirm"
        required
        autoComplete="off"
        hint={tenant.data && <>It is “{tenant.data.name}”.</>}
      />
    </FormDialog>
  );
}
