"use client";

import { useState } from "react";
import type { Api } from "@/api/client";
import { useAction } from "@/api/hooks";
import type { components } from "@/api/schema";
import { Check, Choice, TextField } from "@/components/ui/field";
import { Choices, FormDialog, OVERLAPS, text, texts, Wrong } from "@/components/ui/form";
import { type Endpoint, EVENTS, type Event } from "@/components/webhooks/types";

type WebhookRequest = components["schemas"]["WebhookRequest"];
type WebhookChange = components["schemas"]["WebhookChange"];

const add = (api: Api, body: WebhookRequest) => api.POST("/v1/webhooks", { body });
export const change = (api: Api, id: string, body: WebhookChange) =>
  api.PATCH("/v1/webhooks/{webhook_id}", { params: { path: { webhook_id: id } }, body });
const rotate = (api: Api, id: string, overlap_seconds: number) =>
  api.POST("/v1/webhooks/{webhook_id}/rotate", { params: { path: { webhook_id: id } }, body: { overlap_seconds } });

/** As the API takes it: none means all, so a choice of none is refused here. */
function eventsOf(given: FormData): Event[] | null {
  if (!given.has("some")) return [];
  const chosen = texts(given, "events") as Event[];
  return chosen.length > 0 ? chosen : null;
}

const wanted = (given: FormData, events: Event[]) => ({
  url: text(given, "url"),
  description: text(given, "description"),
  events,
});

function Fields({ endpoint, unchosen }: { endpoint?: Endpoint; unchosen: boolean }) {
  const [some, setSome] = useState((endpoint?.events.length ?? 0) > 0);
  return (
    <>
      <TextField
        label="Address"
        name="url"
        type="url"
        required
        maxLength={2000}
        defaultValue={endpoint?.url}
        placeholder="https://hooks.example.com/aico"
      />
      <TextField label="Description" name="description" maxLength={200} defaultValue={endpoint?.description} />
      <Choices legend="Events">
        <Check label="Only some events" name="some" checked={some} onChange={(event) => setSome(event.target.checked)} />
        {some && (
          <div role="group" aria-label="Events that are sent" className="grid max-h-56 gap-2 overflow-y-auto rounded-md border p-3">
            {EVENTS.map((event) => (
              <Check
                key={event}
                label={event}
                name="events"
                value={event}
                defaultChecked={endpoint?.events.includes(event) ?? false}
              />
            ))}
          </div>
        )}
        {some && unchosen && <Wrong>Choose at least one event.</Wrong>}
      </Choices>
    </>
  );
}

export function AddEndpoint({ onClose, onDone }: { onClose: () => void; onDone: (secret: string) => void }) {
  const { run, busy, problem } = useAction(add, { quiet: true });
  const [unchosen, setUnchosen] = useState(false);
  const submit = async (given: FormData) => {
    const events = eventsOf(given);
    setUnchosen(!events);
    if (!events) return;
    const made = await run(wanted(given, events));
    if (made) onDone(made.data.secret);
  };
  return (
    <FormDialog
      open
      onOpenChange={onClose}
      title="Add an endpoint"
      hint="Its signing secret is shown once, after this."
      action="Add it"
      busy={busy}
      problem={problem}
      onSubmit={submit}
    >
      <Fields unchosen={unchosen} />
    </FormDialog>
  );
}

interface Props {
  endpoint: Endpoint;
  onClose: () => void;
  onDone: (secret?: string) => void;
}

export function ChangeEndpoint({ endpoint, onClose, onDone }: Props) {
  const { run, busy, problem } = useAction(change, { quiet: true });
  const [unchosen, setUnchosen] = useState(false);
  const submit = async (given: FormData) => {
    const events = eventsOf(given);
    setUnchosen(!events);
    if (events && (await run(endpoint.id, wanted(given, events)))) onDone();
  };
  return (
    <FormDialog open onOpenChange={onClose} title="Change the endpoint" action="Save" busy={busy} problem={problem} onSubmit={submit}>
      <Fields endpoint={endpoint} unchosen={unchosen} />
    </FormDialog>
  );
}

export function RotateSecret({ endpoint, onClose, onDone }: Props) {
  const { run, busy, problem } = useAction(rotate, { quiet: true });
  const submit = async (given: FormData) => {
    const made = await run(endpoint.id, Number(text(given, "overlap")));
    if (made) onDone(made.data.secret);
  };
  return (
    <FormDialog
      open
      onOpenChange={onClose}
      title="Rotate the signing secret"
      hint="While both secrets sign, each event bears two signatures, so that none is refused."
      action="Rotate"
      busy={busy}
      problem={problem}
      onSubmit={submit}
    >
      <Choice label="The secret of now goes on signing for" name="overlap" options={OVERLAPS} defaultValue="86400" />
    </FormDialog>
  );
}
