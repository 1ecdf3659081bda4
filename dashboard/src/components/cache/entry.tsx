"use client";

import Link from "next/link";
import { useRouter } from "next/navigation";
import { useState } from "react";
import { toast } from "sonner";
import type { Api } from "@/api/client";
import { useAction, useResource } from "@/api/hooks";
import type { components } from "@/api/schema";
import { usePermitted } from "@/auth/permitted";
import { jobPath } from "@/components/jobs/words";
import { PageTitle } from "@/components/shell/frame";
import { Back } from "@/components/ui/back";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { Copy } from "@/components/ui/copy";
import { Confirm } from "@/components/ui/dialog";
import { Facts } from "@/components/ui/facts";
import { Loaded } from "@/components/ui/states";
import { ago, bytes, count, money, when } from "@/lib/format";

type Detail = components["schemas"]["CacheEntryDetail"];

export function EntryDetail({ id }: { id: string }) {
  const found = useResource(["cache-entry", id], (api) =>
    api.GET("/v1/cache/entries/{entry_id}", { params: { path: { entry_id: id } } }),
  );
  const writes = usePermitted("settings:write");
  return (
    <>
      <Back href="/cache/">Cache</Back>
      <PageTitle title="Kept answer" actions={writes && found.data && <ForgetOne id={id} />} />
      <Loaded found={found}>
        {(entry) => (
          <>
            <Words entry={entry} />
            <Known entry={entry} />
            <Provenance entry={entry} />
          </>
        )}
      </Loaded>
    </>
  );
}

function Words({ entry }: { entry: Detail }) {
  return (
    <Card title="Question and answer" actions={<Copy text={entry.answer.text} label="Copy the answer" />}>
      <div className="grid gap-4 text-sm">
        <div>
          <h3 className="font-medium">Question</h3>
          <p className="mt-1 whitespace-pre-wrap wrap-anywhere text-muted-foreground">
            {entry.question ?? "Not kept: it is served to the same request alone."}
          </p>
        </div>
        <div>
          <h3 className="font-medium">Answer</h3>
          <p className="mt-1 whitespace-pre-wrap wrap-anywhere">{entry.answer.text}</p>
        </div>
      </div>
    </Card>
  );
}

const times = (n: number): string => (n === 1 ? "once" : `${count(n)} times`);

function Known({ entry }: { entry: Detail }) {
  return (
    <Card title="How it is kept">
      <Facts
        facts={[
          ["Served again", `${times(entry.hits)}${entry.hit_at ? `, last ${ago(entry.hit_at)}` : ""}`],
          [
            "Judged",
            entry.good + entry.bad === 0 ? "By nobody yet" : `${times(entry.good)} right, ${times(entry.bad)} wrong`,
          ],
          ["Kept", when(entry.created_at)],
          ["Until", when(entry.expires_at)],
          ["Size", bytes(entry.bytes)],
          ["Tags", <Tags key="tags" tags={entry.tags} />],
          [
            "Namespace",
            <code key="namespace" className="text-xs">
              {entry.namespace}
            </code>,
          ],
        ]}
      />
    </Card>
  );
}

function Provenance({ entry }: { entry: Detail }) {
  const { routing, answer } = entry;
  return (
    <Card title="Where it is from" hint="How the job came by it that paid for it.">
      <Facts
        facts={[
          [
            "Job",
            <Link key="job" href={jobPath(entry.job_id)} className="text-primary underline underline-offset-4">
              {entry.job_id}
            </Link>,
          ],
          ["Model", `${routing.model} at ${routing.provider}`],
          ["Paid", money(routing.cost_cents)],
          ["Tokens", `${count(answer.input_tokens)} of the prompt, ${count(answer.output_tokens)} of the answer`],
          ["Why that model", routing.reasons?.length ? <Reasons key="reasons" reasons={routing.reasons} /> : undefined],
        ]}
      />
    </Card>
  );
}

const forget = (api: Api, id: string) => api.DELETE("/v1/cache/entries/{entry_id}", { params: { path: { entry_id: id } } });

function ForgetOne({ id }: { id: string }) {
  const [open, setOpen] = useState(false);
  const { run, busy } = useAction(forget);
  const router = useRouter();
  const confirm = async () => {
    if (!(await run(id))) return;
    setOpen(false);
    toast.success("The answer was deleted.");
    router.push("/cache/");
  };
  return (
    <>
      <Button look="danger" onClick={() => setOpen(true)}>
        Delete
      </Button>
      <Confirm
        open={open}
        onOpenChange={setOpen}
        title="Delete this answer?"
        hint="It is not served any more, also where it was found to answer other questions. Jobs keep the answers they were given."
        action="Delete it"
        busy={busy}
        onConfirm={confirm}
      />
    </>
  );
}

function Tags({ tags }: { tags: readonly string[] }) {
  if (tags.length === 0) return "None";
  return (
    <span className="flex flex-wrap gap-1">
      {tags.map((tag) => (
        <Badge key={tag}>{tag}</Badge>
      ))}
    </span>
  );
}

function Reasons({ reasons }: { reasons: readonly string[] }) {
  return (
    <ul className="grid gap-0.5">
      {reasons.map((reason) => (
        <li key={reason}>{reason}</li>
      ))}
    </ul>
  );
}
