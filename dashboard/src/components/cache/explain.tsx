"use client";

import { type FormEvent, useState } from "react";
import type { Api } from "@/api/client";
import { useAction, useResource } from "@/api/hooks";
import type { components } from "@/api/schema";
import { Verdict } from "@/components/cache/verdict";
import { type Explanation, GUARD_POLICIES, title } from "@/components/cache/words";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { Choice, TextArea } from "@/components/ui/field";
import { Refused, text } from "@/components/ui/form";

type Asked = components["schemas"]["ExplainRequest"];

const explain = (api: Api, body: Asked) => api.POST("/v1/cache/explain", { body });

export function Explain() {
  const { run, busy, problem } = useAction(explain, { quiet: true });
  const [found, setFound] = useState<Explanation | null>(null);
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const given = new FormData(event.currentTarget);
    const done = await run({
      asked: text(given, "asked"),
      kept: text(given, "kept"),
      namespace: text(given, "namespace") || null,
      guards: (text(given, "guards") || null) as Asked["guards"],
    });
    setFound(done?.data ?? null);
  };
  return (
    <>
      <Card>
        <form onSubmit={submit} className="grid gap-4">
          <div className="grid gap-4 sm:grid-cols-2">
            <TextArea label="The new question" name="asked" required placeholder="Trains from Vienna to Riga" />
            <TextArea label="The question whose answer is kept" name="kept" required placeholder="Trains from Riga to Vienna" />
          </div>
          <div className="grid gap-4 sm:grid-cols-2">
            <NamespaceChoice />
            <Choice label="Guards" name="guards" options={[["", "As the tenant has them"], ...Object.entries(GUARD_POLICIES)]} />
          </div>
          <Refused problem={problem} />
          <div>
            <Button type="submit" look="primary" busy={busy}>
              Compare
            </Button>
          </div>
        </form>
      </Card>
      <div aria-live="polite" className="grid gap-5">
        {found && <Verdict found={found} />}
      </div>
    </>
  );
}

const LABEL_CHARS = 60;

/** Of the largest: what is known of one decides which score is enough. */
function NamespaceChoice() {
  const { data } = useResource(["cache", 1], (api) => api.GET("/v1/cache/stats", { params: { query: { days: 1 } } }));
  const known = data?.namespaces.map((one) => [one.namespace, title(one).slice(0, LABEL_CHARS)] as const) ?? [];
  return (
    <Choice
      label="Namespace"
      name="namespace"
      options={[["", "One of which nothing is known"], ...known]}
      hint="In which both were asked. It has a cut of its own once enough was checked there."
    />
  );
}
