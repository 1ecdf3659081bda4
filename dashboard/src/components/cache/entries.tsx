"use client";

import Link from "next/link";
import { type ChangeEvent, type FormEvent, type MouseEvent, type Ref, useEffect, useState } from "react";
import { usePaged } from "@/api/paged";
import { Permitted, usePermitted } from "@/auth/permitted";
import { type Chosen, Forget } from "@/components/cache/forget";
import { type Entry, short } from "@/components/cache/words";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { TextField } from "@/components/ui/field";
import { Paged } from "@/components/ui/paged";
import { Empty } from "@/components/ui/states";
import { type Column, Table } from "@/components/ui/table";
import { ago, count, when } from "@/lib/format";

export interface Filters {
  q?: string;
  tag?: string;
  model?: string;
  namespace?: string;
}

interface Props {
  filters: Filters;
  onFilters: (filters: Filters) => void;
  onChanged: () => void;
  place?: Ref<HTMLElement>;
}

const HASH = /^[0-9a-f]{64}$/;

/** Kept answers, newest first. */
export function Entries({ filters, onFilters, onChanged, place }: Props) {
  return (
    <Card ref={place} tabIndex={-1} title="Kept answers" hint="Newest first. Deleting one takes it from the cache alone: jobs keep the answers they were given.">
      <Permitted permission="prompts:read" to="see kept answers">
        <Search filters={filters} onFilters={onFilters} />
        <List filters={filters} onChanged={onChanged} />
      </Permitted>
    </Card>
  );
}

/** What is typed in follows a choice that was made elsewhere. */
function Search({ filters, onFilters }: Pick<Props, "filters" | "onFilters">) {
  const [typed, setTyped] = useState(filters);
  useEffect(() => setTyped(filters), [filters]);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    onFilters(Object.fromEntries(Object.entries(typed).flatMap(([name, value]) => (value.trim() ? [[name, value.trim()]] : []))));
  };
  const clear = (event: MouseEvent<HTMLButtonElement>) => {
    event.currentTarget.form?.querySelector("input")?.focus(); // the button goes
    onFilters({});
  };
  const field = (name: keyof Filters) => ({
    name,
    value: typed[name] ?? "",
    onChange: (event: ChangeEvent<HTMLInputElement>) => setTyped((before) => ({ ...before, [name]: event.target.value })),
  });
  return (
    <form
      role="search"
      aria-label="Kept answers"
      onSubmit={submit}
      className="mb-4 grid items-end gap-3 sm:grid-cols-2 lg:grid-cols-[2fr_1fr_1fr_1fr_auto]"
    >
      <TextField label="Words of the question" type="search" maxLength={200} {...field("q")} />
      <TextField label="Tag" {...field("tag")} />
      <TextField label="Model" {...field("model")} />
      <TextField label="Namespace" pattern={HASH.source} title="64 hexadecimal digits" {...field("namespace")} />
      <div className="flex gap-2">
        <Button type="submit" look="primary">
          Search
        </Button>
        {Object.keys(filters).length > 0 && <Button onClick={clear}>Clear</Button>}
      </div>
    </form>
  );
}

const COLUMNS: Column<Entry>[] = [
  {
    name: "Question",
    cell: (one) => (
      <Link href={`/cache/entry/?id=${one.id}`} className="line-clamp-2 min-w-32 text-primary underline-offset-4 wrap-anywhere hover:underline">
        {one.question ?? "Served to the same request alone"}
      </Link>
    ),
  },
  { name: "Model", cell: (one) => <span className="block min-w-32 wrap-anywhere">{one.model}</span>, wide: true },
  {
    name: "Tags",
    cell: (one) => (
      <span className="flex flex-wrap gap-1">
        {one.tags.map((tag) => (
          <Badge key={tag}>{tag}</Badge>
        ))}
      </span>
    ),
    wide: true,
  },
  { name: "Served", cell: (one) => count(one.hits), number: true },
  { name: "Right, wrong", cell: (one) => `${count(one.good)}, ${count(one.bad)}`, number: true, wide: true },
  {
    name: "Kept",
    cell: (one) => (
      <time dateTime={one.created_at} title={when(one.created_at)} className="whitespace-nowrap">
        {ago(one.created_at)}
      </time>
    ),
  },
  {
    name: "Until",
    cell: (one) => (
      <time dateTime={one.expires_at} title={when(one.expires_at)} className="whitespace-nowrap">
        {ago(one.expires_at)}
      </time>
    ),
    wide: true,
  },
];

function List({ filters, onChanged }: Pick<Props, "filters" | "onChanged">) {
  const found = usePaged(["cache-entries", filters], (api, after) =>
    api.GET("/v1/cache/entries", { params: { query: { ...filters, after } } }),
  );
  const writes = usePermitted("settings:write");
  const which = chosen(filters);
  const changed = () => {
    found.mutate();
    onChanged();
  };
  const searched = Object.keys(filters).length > 0;
  return (
    <Paged found={found} empty={<Empty title={searched ? "No kept answer is like that" : "Nothing is kept yet"} />}>
      {(rows) => (
        <>
          <Table label="Kept answers" columns={COLUMNS} rows={rows} rowKey={(one) => one.id} />
          {writes && which && (
            <div className="mt-3">
              <Forget which={which} onForgotten={changed} />
            </div>
          )}
        </>
      )}
    </Paged>
  );
}

/** What a deletion may choose by: one thing at a time, and never words of the question. */
function chosen({ q, tag, model, namespace }: Filters): Chosen | undefined {
  const given = [tag, model, namespace].filter((value) => value !== undefined).length;
  if (q !== undefined || given > 1) return undefined;
  if (tag !== undefined) return { query: { tag }, words: `with the tag “${tag}”` };
  if (model !== undefined) return { query: { model }, words: `by ${model}` };
  if (namespace !== undefined) return { query: { namespace }, words: `of the namespace ${short(namespace)}` };
  return { query: { all: true }, words: "of this tenant" };
}
