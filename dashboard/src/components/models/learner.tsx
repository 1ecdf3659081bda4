"use client";

import { useResource } from "@/api/hooks";
import type { components } from "@/api/schema";
import { Badge } from "@/components/ui/badge";
import { Card } from "@/components/ui/card";
import { Empty, Loaded } from "@/components/ui/states";
import { type Column, Table } from "@/components/ui/table";
import { quality, task } from "@/components/models/words";
import { ago, count, money, percent, UNKNOWN } from "@/lib/format";

type Learner = components["schemas"]["LearnerView"];
type Drafts = components["schemas"]["LearnedDrafts"];

/** What routing knows of each model, from how good its answers were. */
export function Learned() {
  const learner = useResource(["learner"], (api) => api.GET("/v1/routing/learner"));
  return (
    <Card
      title="What routing has learned"
      hint="From how good answers were. Nothing that other tenants say changes it."
      actions={learner.data?.pinned && <Badge tone="warning">Held at version {learner.data.in_use}</Badge>}
    >
      <Loaded found={learner}>{(found) => (found.version === 0 ? <NothingYet /> : <Knowledge found={found} />)}</Loaded>
    </Card>
  );
}

function NothingYet() {
  return (
    <Empty title="Nothing has been learned yet">
      Until then a model is chosen by how hard a prompt looks. Routing learns from 20 judged answers on: from feedback on jobs, from a
      judge model, and from signs such as the same question asked again.
    </Empty>
  );
}

interface Row {
  model: string;
  task: string;
  outcomes: number;
  quality: number;
  atLeast: number;
}

const COLUMNS: Column<Row>[] = [
  { name: "Model", cell: (row) => <span className="block min-w-32 wrap-anywhere">{row.model}</span> },
  { name: "Kind of prompt", cell: (row) => task(row.task) },
  { name: "Judged", cell: (row) => count(row.outcomes), number: true },
  { name: "Mean quality", cell: (row) => quality(row.quality), number: true },
  { name: "At least (95 %)", cell: (row) => quality(row.atLeast), number: true },
];

function Knowledge({ found }: { found: Learner }) {
  const rows: Row[] = found.models.flatMap(({ model, tasks }) =>
    tasks.map((one) => ({ model, task: one.task, outcomes: one.outcomes, quality: one.quality, atLeast: one.quality_at_least })),
  );
  return (
    <div className="grid grid-cols-1 gap-5">
      <p className="text-sm">{standing(found)}</p>
      <Table label="Learned quality by model and kind of prompt" columns={COLUMNS} rows={rows} rowKey={(row) => `${row.model} ${row.task}`} />
      {found.drafts.length > 0 && <DraftTable drafts={found.drafts} />}
    </div>
  );
}

/** `quality_price` is quality for each cent; the cents for each hundredth of quality are easier to judge. */
function standing({ in_use, version, pinned, labels, quality_target, quality_price, solved_at }: Learner): string {
  const of = `Version ${in_use} decides: it rests on ${count(labels)} judged answers and was made ${ago(solved_at)}.`;
  const held = pinned ? ` An operator holds routing there; the newest is ${version}.` : "";
  if (quality_price === null) return `${of}${held} There is too little traffic to say what quality costs.`;
  const price = quality_price > 0 ? `one more hundredth of quality may cost up to ${money(HUNDREDTH / quality_price)}` : "the cheapest model does";
  return `${of}${held} To reach ${percent(quality_target)} of the best single model's quality, ${price}.`;
}

const HUNDREDTH = 0.01;

const DRAFT_COLUMNS: Column<Drafts>[] = [
  { name: "Model", cell: (row) => <span className="block min-w-32 wrap-anywhere">{row.model}</span> },
  { name: "Checked lately", cell: (row) => count(row.checked), number: true },
  { name: "Passed", cell: (row) => share(row.pass_rate, row.pass_rate_low, row.pass_rate_high), number: true },
  { name: "Judged", cell: (row) => count(row.judged), number: true },
  { name: "Good enough", cell: (row) => percent(row.quality), number: true },
  { name: "At least (95 %)", cell: (row) => percent(row.quality_at_least), number: true },
];

const share = (rate: number | null, low: number | null, high: number | null): string =>
  rate === null ? UNKNOWN : `${percent(rate)} (${percent(low)} to ${percent(high)})`;

function DraftTable({ drafts }: { drafts: readonly Drafts[] }) {
  return (
    <div className="grid gap-2">
      <h3 className="text-sm font-medium">Drafts</h3>
      <p className="text-sm text-muted-foreground">
        A cheap model drafts an answer; a check decides whether it is good enough or a better model answers instead.
      </p>
      <Table label="Drafts" columns={DRAFT_COLUMNS} rows={drafts} rowKey={(row) => row.model} />
    </div>
  );
}
