"use client";

import { Upload } from "lucide-react";
import { useRouter } from "next/navigation";
import { type ChangeEvent, useState } from "react";
import type { Api } from "@/api/client";
import { useAction } from "@/api/hooks";
import { batchPath } from "@/components/batches/words";
import { Button } from "@/components/ui/button";
import { Choice, TextField } from "@/components/ui/field";
import { FormDialog, text } from "@/components/ui/form";

const ENDPOINTS = ["/v1/chat/completions", "/v1/responses"] as const;
const WINDOWS: readonly (readonly [value: string, name: string])[] = [
  ["24h", "A day"],
  ["1h", "An hour"],
  ["7d", "A week"],
];
const READ_BYTES = 65_536; // of a file, to see what its first line asks

interface Wanted {
  file: File;
  endpoint: string;
  completion_window: string;
  name: string;
}

/** The file, then the batch. A refused batch leaves the file, which ends by itself. */
async function create(api: Api, { file, name, ...wanted }: Wanted) {
  const form = new FormData();
  form.append("purpose", "batch");
  form.append("file", file);
  const sent = await api.POST("/v1/files", { body: { file: file.name, purpose: "batch" }, bodySerializer: () => form });
  if (!sent.data) return { error: sent.error, response: sent.response };
  return api.POST("/v1/batches", { body: { ...wanted, input_file_id: sent.data.id, metadata: name ? { name } : null } });
}

/** The endpoint that the first line names, if it is one of ours. */
async function endpointOf(file: File): Promise<string | undefined> {
  const [first] = (await file.slice(0, READ_BYTES).text()).split("\n", 1);
  try {
    const { url }: { url?: unknown } = JSON.parse(first ?? "") ?? {};
    return ENDPOINTS.find((endpoint) => endpoint === url);
  } catch {
    return undefined; // the service says what is wrong with it, and in which line
  }
}

export function NewBatch() {
  const [open, setOpen] = useState(false);
  const [endpoint, setEndpoint] = useState<string>(ENDPOINTS[0]);
  const router = useRouter();
  const { run, busy, problem, forget } = useAction(create, { quiet: true });
  const show = (shown: boolean) => {
    forget();
    setOpen(shown);
  };
  const choose = async (event: ChangeEvent<HTMLInputElement>) => {
    const file = event.target.files?.[0];
    const named = file && (await endpointOf(file));
    if (named) setEndpoint(named);
  };
  const submit = async (given: FormData) => {
    const file = given.get("file");
    if (!(file instanceof File)) return;
    const found = await run({ file, endpoint, completion_window: text(given, "window"), name: text(given, "name") });
    if (!found) return;
    setOpen(false); // before the way there, in which it could be sent again
    router.push(batchPath(found.data.id));
  };
  return (
    <>
      <Button look="primary" onClick={() => show(true)}>
        <Upload aria-hidden />
        New batch
      </Button>
      <FormDialog
        open={open}
        onOpenChange={show}
        title="New batch"
        hint="A file of requests in OpenAI's format, one JSON object a line."
        action="Upload and start"
        busy={busy}
        problem={problem}
        onSubmit={submit}
      >
        <TextField
          label="File"
          name="file"
          type="file"
          accept=".jsonl,.ndjson,application/jsonl,application/x-ndjson"
          required
          onChange={choose}
          className="py-1.5"
          hint={'A line: {"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": {…}}'}
        />
        <Choice
          label="Endpoint"
          options={ENDPOINTS.map((one) => [one, one] as const)}
          value={endpoint}
          onChange={(event) => setEndpoint(event.target.value)}
        />
        <Choice label="Needed within" name="window" options={WINDOWS} hint="The more time, the more of it may cost half." />
        <TextField label="Name" name="name" maxLength={200} hint="For you, to tell it apart." />
      </FormDialog>
    </>
  );
}
