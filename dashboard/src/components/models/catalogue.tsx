"use client";

import { useState } from "react";
import { Badge } from "@/components/ui/badge";
import { Card } from "@/components/ui/card";
import { Check, TextField } from "@/components/ui/field";
import { Empty } from "@/components/ui/states";
import { type Column, Table } from "@/components/ui/table";
import { capability, type Model, perMillion, type Providers, quality } from "@/components/models/words";
import { compact, count } from "@/lib/format";

const COLUMNS: Column<Model>[] = [
  {
    name: "Model",
    cell: (one) => (
      <span className="grid min-w-32">
        <span className="font-medium wrap-anywhere">{one.id}</span>
        <span className="text-xs text-muted-foreground">{one.provider}</span>
      </span>
    ),
  },
  { name: "Quality", cell: (one) => quality(one.quality), number: true },
  { name: "Prompt", cell: (one) => perMillion(one.input_dollars_per_million), number: true },
  { name: "Cached prompt", cell: (one) => perMillion(one.cached_input_dollars_per_million), number: true, wide: true },
  { name: "Answer", cell: (one) => perMillion(one.output_dollars_per_million), number: true },
  { name: "Context", cell: (one) => compact(one.context_window), number: true, wide: true },
  { name: "Longest answer", cell: (one) => compact(one.max_output), number: true, wide: true },
  {
    name: "Can do",
    cell: (one) => (
      <span className="flex flex-wrap gap-1">
        {one.capabilities.map((name) => (
          <Badge key={name}>{capability(name)}</Badge>
        ))}
      </span>
    ),
    wide: true,
  },
];

/** What models cost and can do. At first those that can be called. */
export function Catalogue({ found }: { found: Providers }) {
  const [all, setAll] = useState(false);
  const [words, setWords] = useState("");
  const on = new Set(found.providers.filter((one) => one.configured).map((one) => one.name));
  const sought = words.trim().toLowerCase();
  const shown = found.models.filter(
    (one) => (all || on.has(one.provider)) && (one.id.toLowerCase().includes(sought) || one.provider.toLowerCase().includes(sought)),
  );
  return (
    <Card
      title="Models"
      hint="Prices in US dollars per million tokens, at list. Quality is a coarse rank from 0 to 1 that people chose; what was learned is below."
    >
      <div className="mb-4 flex flex-wrap items-end gap-x-6 gap-y-3">
        <TextField label="Find a model" type="search" value={words} onChange={(event) => setWords(event.target.value)} />
        <Check label="Also of providers that are off" checked={all} onChange={(event) => setAll(event.target.checked)} />
      </div>
      <p role="status" className="mb-2 text-sm text-muted-foreground">
        {count(shown.length)} of {count(found.models.length)} models
      </p>
      {shown.length === 0 ? (
        <Empty title="No model is called so" />
      ) : (
        <Table label="Models" columns={COLUMNS} rows={shown} rowKey={(one) => `${one.provider}/${one.id}`} />
      )}
    </Card>
  );
}
