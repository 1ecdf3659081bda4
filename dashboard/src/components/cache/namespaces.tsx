"use client";

import { useState } from "react";
import { usePaged } from "@/api/paged";
import { usePermitted } from "@/auth/permitted";
import { Lifetime } from "@/components/cache/lifetime";
import { cut, evidence, type Namespace, STATES, type State, type Stats, short, title } from "@/components/cache/words";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { Empty } from "@/components/ui/states";
import { Paged } from "@/components/ui/paged";
import { bytes, count, duration, onDay } from "@/lib/format";

interface Props {
  stats: Stats;
  onShow: (namespace: string) => void; // its entries
  onChanged: () => void;
}

/** Questions that may share answers, and what is known of the error of doing so. */
export function Namespaces({ stats, onShow, onChanged }: Props) {
  const [all, setAll] = useState(false);
  const total = Object.values(stats.states).reduce((sum, n) => sum + n, 0);
  const each = (one: Namespace) => <One key={one.namespace} one={one} usual={stats.target} onShow={onShow} onChanged={onChanged} />;
  return (
    <Card
      title="Namespaces"
      hint="Questions with the same instructions, history, tools and settings. Answers are never served across namespaces, and each has an error of its own."
      actions={
        total > stats.namespaces.length && (
          <Button onClick={() => setAll(!all)}>{all ? "Show the largest" : `Show all ${count(total)}`}</Button>
        )
      }
    >
      <StateCounts stats={stats} />
      {all ? <All>{each}</All> : stats.namespaces.length > 0 ? <ul className="grid gap-3">{stats.namespaces.map(each)}</ul> : <None />}
    </Card>
  );
}

const None = () => (
  <Empty title="Nothing is kept yet">Whole answers in words are kept as they come, unless a request says otherwise.</Empty>
);

function All({ children }: { children: (one: Namespace) => React.ReactNode }) {
  const found = usePaged(["cache-namespaces"], (api, after) => api.GET("/v1/cache/namespaces", { params: { query: { after } } }));
  return (
    <Paged found={found} empty={<None />}>
      {(rows) => <ul className="grid gap-3">{rows.map(children)}</ul>}
    </Paged>
  );
}

function StateCounts({ stats }: { stats: Stats }) {
  return (
    <details className="mb-4 text-sm">
      <summary className="cursor-pointer font-medium">What the states mean</summary>
      <dl className="mt-2 grid gap-2">
        {Object.entries(STATES).map(([state, { name, tone, means }]) => (
          <div key={state} className="grid gap-1 sm:grid-cols-[9rem_1fr]">
            <dt>
              <Badge tone={tone}>{name}</Badge> <span className="text-muted-foreground">{count(stats.states[state as State] ?? 0)}</span>
            </dt>
            <dd className="text-muted-foreground">{means}</dd>
          </div>
        ))}
      </dl>
    </details>
  );
}

function One({ one, usual, onShow, onChanged }: { one: Namespace; usual: number } & Omit<Props, "stats">) {
  const { name, tone } = STATES[one.state];
  const writes = usePermitted("settings:write");
  const reads = usePermitted("prompts:read");
  return (
    <li className="grid gap-3 rounded-md border p-3 sm:p-4">
      <div className="flex flex-wrap items-start justify-between gap-2">
        <div className="min-w-0 flex-1 basis-48">
          <h3 className="line-clamp-2 text-sm font-medium wrap-anywhere">{title(one)}</h3>
          <p className="font-mono text-xs text-muted-foreground">{short(one.namespace)}</p>
        </div>
        <Badge tone={tone}>{name}</Badge>
      </div>
      <p className="text-sm text-muted-foreground">{evidence(one, usual)}</p>
      <Figures one={one} />
      <div className="flex flex-wrap gap-2">
        {reads && (
          <Button size="small" aria-label={`Show answers of ${title(one)}`} onClick={() => onShow(one.namespace)}>
            Show answers
          </Button>
        )}
        {writes && <Lifetime one={one} onChanged={onChanged} />}
      </div>
    </li>
  );
}

function Figures({ one }: { one: Namespace }) {
  const figures = [
    ["Answers", `${count(one.entries)}, ${bytes(one.bytes)}`],
    ["Least likelihood that is served", cut(one)],
    ["Kept for", one.ttl_seconds === null ? "As the tenant's others" : duration(one.ttl_seconds)],
    ["There since", onDay(one.created_at)],
  ] as const;
  return (
    <dl className="grid grid-cols-2 gap-x-4 gap-y-2 text-sm sm:grid-cols-4">
      {figures.map(([name, value]) => (
        <div key={name}>
          <dt className="text-xs text-muted-foreground">{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
