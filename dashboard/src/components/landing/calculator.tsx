"use client";

import { useState } from "react";
import type { Audit } from "@/components/landing/audit";
import { AssumptionRows } from "@/components/landing/assumption-rows";
import { AuditDrop } from "@/components/landing/audit-drop";
import { AuditResult } from "@/components/landing/audit-result";
import {
  type Assumptions,
  estimate,
  type Lever,
  ordered,
  type Reading,
  startingWith,
} from "@/components/landing/estimate";
import { NumberInput } from "@/components/landing/number-input";
import { roughly } from "@/components/landing/range";
import { Card } from "@/components/ui/card";
import { Code } from "@/components/ui/copy";
import { Field } from "@/components/ui/field";
import { percent } from "@/lib/format";

const FIRST_SPEND = 10_000; // US dollars a month
const COMMAND = "aico audit log.jsonl --json > audit.json";

export function Calculator() {
  const [spend, setSpend] = useState(FIRST_SPEND);
  const [audit, setAudit] = useState<Audit | null>(null);
  return (
    <div className="grid gap-5">
      <Card title="From what you spend" hint="Change whatever does not hold for you. It is a range, and no promise.">
        <Assumed spend={spend} onSpend={setSpend} />
      </Card>
      <Card
        title="From what you sent"
        hint="Better than assumptions: a log of the calls that you make today, from OpenAI, LiteLLM or Langfuse."
      >
        <div className="grid min-w-0 gap-4">
          <p className="text-sm">
            On your own machine, offline, this reads the log and writes figures, without a word of any prompt:
          </p>
          <Code>{COMMAND}</Code>
          <AuditDrop onRead={setAudit} />
          {audit && (
            <div role="region" aria-label="From your log">
              <AuditResult audit={audit} spend={spend} />
            </div>
          )}
        </div>
      </Card>
    </div>
  );
}

function Assumed({ spend, onSpend }: { spend: number; onSpend: (spend: number) => void }) {
  const [assumed, setAssumed] = useState<Record<Reading, Assumptions>>({
    cautious: startingWith("cautious"),
    hopeful: startingWith("hopeful"),
  });
  const change = (reading: Reading, name: keyof Assumptions, value: number) =>
    setAssumed((all) => ({ ...all, [reading]: { ...all[reading], [name]: value } }));
  return (
    <div className="grid gap-6 lg:grid-cols-[1fr_20rem]">
      <div className="grid content-start gap-5">
        <Field label="What you pay providers, US dollars a month">
          {(wiring) => <NumberInput {...wiring} start={spend} onNumber={onSpend} className="max-w-48" />}
        </Field>
        <AssumptionRows assumed={assumed} onChange={change} />
      </div>
      <Outcome spend={spend} assumed={assumed} />
    </div>
  );
}

const LEVERS: readonly (readonly [Lever, string])[] = [
  ["exact", "Identical requests"],
  ["near", "Same meaning"],
  ["route", "Routing"],
  ["batch", "Batches"],
  ["holdout", "Held out (1%)"],
];

function Outcome({ spend, assumed }: { spend: number; assumed: Record<Reading, Assumptions> }) {
  const cautious = estimate(spend, assumed.cautious);
  const hopeful = estimate(spend, assumed.hopeful);
  const shares = ordered(cautious.share, hopeful.share).map(percent);
  return (
    <div role="status" aria-label="What that would save" className="grid content-start gap-4 rounded-lg bg-muted p-4">
      <div>
        <p className="text-sm text-muted-foreground">Saved a month</p>
        <p className="text-2xl font-semibold tracking-tight">{roughly(cautious.saved, hopeful.saved)}</p>
        <p className="text-sm text-muted-foreground">
          {shares[0]} to {shares[1]} of what you spend
        </p>
      </div>
      <dl className="grid gap-1.5 text-sm">
        {LEVERS.map(([lever, name]) => (
          <div key={lever} className="flex justify-between gap-3">
            <dt className="text-muted-foreground">{name}</dt>
            <dd className="text-right">{roughly(cautious.levers[lever], hopeful.levers[lever])}</dd>
          </div>
        ))}
      </dl>
      <p className="text-xs text-muted-foreground">
        In the order in which the service saves, so that nothing counts twice. Left out: discounts on prompt beginnings
        that come again (more), calls of a judge and the machines that this runs on (less).
      </p>
    </div>
  );
}
