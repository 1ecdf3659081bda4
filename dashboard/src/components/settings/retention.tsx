"use client";

import type { FormEvent } from "react";
import { useState } from "react";
import { toast } from "sonner";
import type { Api } from "@/api/client";
import { useAction, useResource } from "@/api/hooks";
import { type RetentionDays as Days, type RetentionView as View, shortens } from "@/components/settings/shortens";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { Confirm } from "@/components/ui/dialog";
import { TextField } from "@/components/ui/field";
import { numberOrNull, Refused } from "@/components/ui/form";
import { Loaded } from "@/components/ui/states";

const KINDS: readonly (readonly [name: keyof Days, label: string, hint: string])[] = [
  ["jobs", "Jobs", "Ended jobs, with prompts and answers, and ended batches."],
  ["cache", "Kept answers", "Answers that may be served again."],
  ["ledger", "What providers said", "Beside the figures, which are kept for ever."],
  ["files", "Files", "Uploads, results of batches, exports."],
  ["deliveries", "Webhook deliveries", "With their log."],
];

const put = (api: Api, body: Days) => api.PUT("/v1/retention", { body });

export function Retention() {
  const found = useResource(["retention"], (api) => api.GET("/v1/retention"));
  return (
    <Card title="How long data is kept" hint="In days. What is left empty is kept as long as the service keeps it.">
      <Loaded found={found}>{(view) => <RetentionForm view={view} onSaved={() => found.mutate()} />}</Loaded>
    </Card>
  );
}

function RetentionForm({ view, onSaved }: { view: View; onSaved: () => void }) {
  const { run, busy, problem } = useAction(put, { quiet: true });
  const [wanted, setWanted] = useState<Days | null>(null); // to be confirmed
  const save = async (days: Days) => {
    const saved = await run(days);
    setWanted(null);
    if (!saved) return;
    toast.success("Saved.");
    onSaved();
  };
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const given = new FormData(event.currentTarget);
    const days: Days = Object.fromEntries(KINDS.map(([name]) => [name, numberOrNull(given, name)]));
    if (shortens(view, days)) setWanted(days);
    else void save(days);
  };
  return (
    <form onSubmit={submit} className="grid max-w-xl gap-4">
      {KINDS.map(([name, label, hint]) => (
        <TextField
          key={name}
          label={label}
          name={name}
          type="number"
          min={1}
          max={view.maximum}
          step={1}
          defaultValue={view.days[name] ?? ""}
          placeholder={days(view.effective[name])}
          hint={`${hint} Now: ${days(view.effective[name])}.`}
        />
      ))}
      <Refused problem={problem} />
      <Button type="submit" busy={busy} className="justify-self-start">
        Save
      </Button>
      <Confirm
        open={wanted !== null}
        onOpenChange={() => setWanted(null)}
        title="Keep data for a shorter time?"
        hint="What is older by then is deleted within minutes, for good."
        action="Save and delete"
        busy={busy}
        onConfirm={() => wanted && save(wanted)}
      />
    </form>
  );
}

function days(value: number | undefined): string {
  if (value === undefined) return "";
  const shown = Number(value.toFixed(2));
  return `${shown} ${shown === 1 ? "day" : "days"}`;
}
