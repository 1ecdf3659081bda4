import { Badge, type Tone } from "@/components/ui/badge";
import { Card } from "@/components/ui/card";
import { Progress } from "@/components/ui/progress";
import { type Column, Table } from "@/components/ui/table";
import { between, counted, ENOUGH, type Holdout, measured, quality, untilMeasured } from "@/components/savings/words";
import { count, milliseconds, money, percent, UNKNOWN } from "@/lib/format";

const STATUS: Record<Holdout["status"], { tone: Tone; name: string }> = {
  measured: { tone: "good", name: "Measured" },
  too_few: { tone: "warning", name: "Not enough yet" },
  off: { tone: "neutral", name: "Off" },
};

/** Savings against jobs that chance kept from the optimisation. */
export function AgainstHoldout({ holdout }: { holdout: Holdout }) {
  const { tone, name } = STATUS[holdout.status];
  return (
    <Card
      title="Measured: against a randomised holdout"
      hint="Chance keeps some jobs from being optimised. The two groups differ in nothing else, so nothing is taken for granted."
      actions={<Badge tone={tone}>{name}</Badge>}
    >
      <div className="grid grid-cols-1 gap-5">
        <p>{measured(holdout)}</p>
        {holdout.status === "too_few" && <Waiting holdout={holdout} />}
        {holdout.status === "measured" && <Estimates holdout={holdout} />}
        {(holdout.status !== "off" || holdout.baseline.jobs > 0) && (
          <>
            <Arms holdout={holdout} />
            <div className="text-sm">
              <h3 className="font-medium">Quality of the answers</h3>
              <p className="mt-1 text-muted-foreground">{quality(holdout)}</p>
            </div>
          </>
        )}
        <Reading holdout={holdout} />
      </div>
    </Card>
  );
}

function Waiting({ holdout }: { holdout: Holdout }) {
  const wait = untilMeasured(holdout);
  return (
    <div className="grid gap-1.5 text-sm">
      <Progress label="Held-out jobs that have been answered, of those needed" total={ENOUGH} done={Math.min(counted(holdout.baseline), ENOUGH)} />
      {wait && <p className="text-muted-foreground">{wait}</p>}
    </div>
  );
}

interface Row {
  name: string;
  value: string;
  interval: string;
}

function Estimates({ holdout }: { holdout: Holdout }) {
  const { saved_cents: total, saved_share: share, saved_cents_per_job: each } = holdout;
  const rows: Row[] = [];
  if (total) rows.push({ name: "Saved, less what routing cost", value: money(total.value), interval: between(total, money) });
  if (share) rows.push({ name: "Share of the baseline's cost", value: percent(share.value), interval: between(share, percent) });
  if (each) rows.push({ name: "Saved per job", value: money(each.value), interval: between(each, money) });
  const columns: Column<Row>[] = [
    { name: "Figure", cell: (row) => row.name },
    { name: "Best estimate", cell: (row) => row.value, number: true },
    { name: `${percent(holdout.confidence)} interval`, cell: (row) => row.interval, number: true },
  ];
  return <Table label="What was saved, with intervals" columns={columns} rows={rows} rowKey={(row) => row.name} />;
}

function Arms({ holdout }: { holdout: Holdout }) {
  const rows = [
    { name: "Optimised", ...holdout.routed },
    { name: "Held out", ...holdout.baseline },
  ];
  const columns: Column<(typeof rows)[number]>[] = [
    { name: "Group", cell: (row) => row.name },
    { name: "Jobs", cell: (row) => count(row.jobs), number: true },
    { name: "Mean cost of a job", cell: (row) => money(row.mean_cents), number: true },
    { name: "Mean time of an answer", cell: (row) => milliseconds(row.mean_latency_ms), number: true, wide: true },
    { name: "Failed", cell: (row) => count(row.failed), number: true, wide: true },
    { name: "Cost unknown", cell: (row) => count(row.unpriced), number: true, wide: true },
    { name: "Judged", cell: (row) => count(row.judged), number: true, wide: true },
    { name: "Mean quality", cell: (row) => row.mean_quality?.toFixed(2) ?? UNKNOWN, number: true },
  ];
  return <Table label="The two groups" columns={columns} rows={rows} rowKey={(row) => row.name} />;
}

function Reading({ holdout }: { holdout: Holdout }) {
  return (
    <details className="text-sm">
      <summary className="cursor-pointer font-medium">How to read this</summary>
      <ul className="mt-2 grid list-disc gap-1.5 pl-5 text-muted-foreground">
        <li>
          {percent(holdout.share)} of the jobs that can be held out are, now. They are answered as if nobody chose a model and nobody
          kept answers. A larger share measures sooner and saves less.
        </li>
        <li>
          The interval is the range in which the true figure lies {percent(holdout.confidence)} of the time, for a period chosen
          before you look. Whoever looks every day and stops at a good one deceives himself.
        </li>
        <li>Where a few jobs cost very much and few are held out, the high end of the interval is too low.</li>
        <li>An optimised job of unknown cost counts as no saving. What comparing answers cost is subtracted.</li>
        <li>Batch work and jobs with a cost limit of their own are in neither group.</li>
      </ul>
    </details>
  );
}
