"use client";

import { type FormEvent, useState } from "react";
import { useResource } from "@/api/hooks";
import { usePaged } from "@/api/paged";
import type { components } from "@/api/schema";
import { usePermitted } from "@/auth/permitted";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { TextField } from "@/components/ui/field";
import { text } from "@/components/ui/form";
import { Paged } from "@/components/ui/paged";
import { Empty } from "@/components/ui/states";
import { type Column, Table } from "@/components/ui/table";
import { when } from "@/lib/format";

type Entry = components["schemas"]["EntryView"];

interface Filter {
  action: string;
  actor: string;
}

const ALL: Filter = { action: "", actor: "" };

const columns = (emails: ReadonlyMap<string, string>): Column<Entry>[] => [
  { name: "What", cell: (entry) => <code className="text-xs whitespace-nowrap">{entry.action}</code> },
  { name: "When", cell: (entry) => <span className="block min-w-24 sm:whitespace-nowrap">{when(entry.at)}</span> },
  { name: "Who", cell: (entry) => <Actor actor={entry.actor} emails={emails} /> },
  { name: "Of", cell: (entry) => <span className="block min-w-32 text-xs wrap-anywhere">{entry.subject}</span> },
  { name: "Detail", cell: (entry) => <Detail detail={entry.detail} /> },
];

export function AuditLog() {
  const [filter, setFilter] = useState(ALL);
  const found = usePaged<Entry>(["audit-log", filter.action, filter.actor], (api, after) =>
    api.GET("/v1/audit-log", {
      params: { query: { after, limit: 50, action: filter.action || undefined, actor: filter.actor || undefined } },
    }),
  );
  const members = useResource(usePermitted("members:write") ? ["members", "all"] : null, (api) =>
    api.GET("/v1/members", { params: { query: { limit: 100 } } }),
  );
  const emails = new Map(members.data?.data.map(({ user_id, email }) => [`user:${user_id}`, email ?? user_id]));
  return (
    <Card title="Audit log" hint="Who did what to the tenant, newest first. No entry is ever changed.">
      <FilterForm onFilter={setFilter} />
      <Paged
        found={found}
        empty={<Empty title={filter === ALL ? "Nothing was done yet" : "No entry is like that"} />}
      >
        {(rows) => <Table label="Audit log" columns={columns(emails)} rows={rows} rowKey={(entry) => entry.id} />}
      </Paged>
    </Card>
  );
}

/** Members by their address, as far as they still are some; everybody else as the log has it. */
function Actor({ actor, emails }: { actor: string; emails: ReadonlyMap<string, string> }) {
  return (
    <span className="block min-w-32 text-xs wrap-anywhere" title={actor}>
      {emails.get(actor) ?? actor}
    </span>
  );
}

function FilterForm({ onFilter }: { onFilter: (filter: Filter) => void }) {
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const given = new FormData(event.currentTarget);
    onFilter({ action: text(given, "action"), actor: text(given, "actor") });
  };
  return (
    <form onSubmit={submit} onReset={() => onFilter(ALL)} className="mb-4 grid items-end gap-3 sm:grid-cols-[1fr_1fr_auto]">
      <TextField label="Action" name="action" maxLength={100} placeholder="api_key.created" />
      <TextField label="Actor" name="actor" maxLength={100} placeholder="operator" />
      <div className="flex gap-2">
        <Button type="submit">Filter</Button>
        <Button type="reset" look="quiet">
          Clear
        </Button>
      </div>
    </form>
  );
}

function Detail({ detail }: { detail: Entry["detail"] }) {
  const parts = Object.entries(detail);
  if (parts.length === 0) return null;
  return (
    <ul className="min-w-40 text-xs">
      {parts.map(([name, value]) => (
        <li key={name} className="wrap-anywhere">
          <span className="text-muted-foreground">{name}:</span> {typeof value === "string" ? value : JSON.stringify(value)}
        </li>
      ))}
    </ul>
  );
}
