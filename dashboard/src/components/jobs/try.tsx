"use client";

import { Send } from "lucide-react";
import Link from "next/link";
import { type FormEvent, useEffect, useEffectEvent, useState } from "react";
import type { Api } from "@/api/client";
import { useAction, useResource } from "@/api/hooks";
import type { components } from "@/api/schema";
import { AnswerText, Said } from "@/components/jobs/conversation";
import { useFollowed } from "@/components/jobs/follow";
import { JobStatusBadge } from "@/components/jobs/status";
import { CACHE_STATES, isOpen, type Job, jobPath, savedCents, whereabouts } from "@/components/jobs/words";
import { Button, buttonStyle } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Choice, TextArea } from "@/components/ui/field";
import { Refused, text } from "@/components/ui/form";
import { Loading } from "@/components/ui/states";
import { money } from "@/lib/format";

type Request = components["schemas"]["JobRequest"];

const CACHE_MODES: readonly (readonly [value: string, name: string])[] = [
  ["", "As this tenant does"],
  ["semantic", "May serve questions of the same meaning"],
  ["exact", "May serve the same request"],
  ["off", "Do not use it"],
];

const submit = (api: Api, body: Pick<Request, "prompt" | "model" | "cache" | "stream">) =>
  // Only what is given: the defaults are the service's own.
  api.POST("/v1/jobs", { body: body as Request });

export function TryPrompt({ onSubmitted }: { onSubmitted: () => void }) {
  const [open, setOpen] = useState(false);
  const [job, setJob] = useState<Job | null>(null);
  const show = (shown: boolean) => {
    setOpen(shown);
    setJob(null);
  };
  return (
    <>
      <Button look="primary" onClick={() => show(true)}>
        <Send aria-hidden />
        Try a prompt
      </Button>
      <Dialog sticky open={open} onOpenChange={show} title="Try a prompt" hint="It is a job like any other, and is booked.">
        {job ? (
          <Followed submitted={job} onAnother={() => setJob(null)} onEnded={onSubmitted} />
        ) : (
          <PromptForm
            onSubmitted={(taken) => {
              setJob(taken);
              onSubmitted();
            }}
          />
        )}
      </Dialog>
    </>
  );
}

function PromptForm({ onSubmitted }: { onSubmitted: (job: Job) => void }) {
  const models = useResource(["models"], (api) => api.GET("/v1/models"));
  const { run, busy, problem } = useAction(submit, { quiet: true });
  const send = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const given = new FormData(event.currentTarget);
    const cache = text(given, "cache") as NonNullable<Request["cache"]> | "";
    const found = await run({ prompt: text(given, "prompt"), model: text(given, "model"), stream: true, ...(cache && { cache }) });
    if (found) onSubmitted(found.data);
  };
  const answering = models.data?.data.filter((model) => !model.capabilities.includes("embeddings"));
  const options = answering?.map((model) => [model.id, model.id] as const) ?? [["auto", "auto"] as const];
  return (
    <form onSubmit={send} className="grid gap-4">
      <TextArea label="Prompt" name="prompt" required autoFocus />
      <div className="grid gap-4 sm:grid-cols-2">
        <Choice label="Model" name="model" options={options} />
        <Choice label="Cache" name="cache" options={CACHE_MODES} />
      </div>
      <Refused problem={problem} />
      <Button type="submit" look="primary" busy={busy} className="justify-self-end">
        Submit
      </Button>
    </form>
  );
}

function Followed({ submitted, onAnother, onEnded }: { submitted: Job; onAnother: () => void; onEnded: () => void }) {
  const { job, text: written, error } = useFollowed(submitted);
  const open = isOpen(job);
  const ended = useEffectEvent(onEnded);
  useEffect(() => {
    if (!open) ended();
  }, [open]);
  const saved = savedCents(job.routing);
  return (
    <div className="grid gap-4">
      <p role="status" className="flex flex-wrap items-center gap-2 text-sm text-muted-foreground">
        <JobStatusBadge job={job} />
        {open && whereabouts(job)}
        {job.routing && `${CACHE_STATES[job.routing.cache].told} · ${job.routing.model} · ${money(job.routing.cost_cents)}`}
        {saved !== null && ` · ${money(saved)} saved`}
      </p>
      {job.answer && <AnswerText answer={job.answer} />}
      {job.error && <p className="text-sm text-danger wrap-anywhere">{job.error.message}</p>}
      {error && <p className="text-sm text-danger">{error.message}</p>}
      {open && written && <Said label="Answer so far">{written}</Said>}
      {open && !written && !error && <Loading what="Waiting for the answer" />}
      <div className="flex flex-wrap justify-end gap-2">
        <Button onClick={onAnother}>Another prompt</Button>
        <Link href={jobPath(job.id)} className={buttonStyle({ look: "primary" })}>
          Open the job
        </Link>
      </div>
    </div>
  );
}
