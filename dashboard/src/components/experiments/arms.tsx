import {
  type Experiment,
  type Metric,
  METRICS,
  meanWords,
  rangeWords,
  type Results,
  treatmentWords,
} from "@/components/experiments/words";
import { Badge } from "@/components/ui/badge";
import { Card } from "@/components/ui/card";
import { type Column, Table } from "@/components/ui/table";
import { count, percent, when } from "@/lib/format";

type Arm = Experiment["arms"][number];
type Result = Results["arms"][number];

/** An arm as it was set up, with what it has come to where that is known. */
interface Row {
  arm: Arm;
  share: number;
  result: Result | undefined;
}

function Named({ arm }: { arm: Arm }) {
  return (
    <div className="max-w-60 min-w-32">
      <span className="font-medium wrap-anywhere">{arm.name}</span> {arm.control && <Badge>Control</Badge>}
      {arm.ended && <Badge tone="warning">Ended</Badge>}
      <span className="block text-xs text-muted-foreground wrap-anywhere">{treatmentWords(arm.treatment)}</span>
      {arm.ended && (
        <span className="block text-xs text-muted-foreground wrap-anywhere">
          {when(arm.ended.at)}: {arm.ended.because}
        </span>
      )}
    </div>
  );
}

function Mean({ result, metric }: { result: Result | undefined; metric: Metric }) {
  const found = result?.metrics[metric];
  const words = (value: number | null | undefined) => meanWords(metric, value);
  return (
    <>
      {words(found?.mean)}
      {found?.low != null && (
        <span className="block text-xs whitespace-nowrap text-muted-foreground">{rangeWords(words(found.low), words(found.high))}</span>
      )}
    </>
  );
}

const SET_UP: readonly Column<Row>[] = [
  { name: "Arm", cell: ({ arm }) => <Named arm={arm} /> },
  { name: "Share", number: true, cell: ({ share }) => percent(share) },
];

const FIGURES: readonly Column<Row>[] = [
  { name: "Jobs", number: true, cell: ({ result }) => count(result?.jobs) },
  ...(Object.keys(METRICS) as Metric[]).map((metric) => ({
    name: METRICS[metric],
    number: true,
    cell: ({ result }: Row) => <Mean result={result} metric={metric} />,
  })),
];

export function Arms({ experiment, results }: { experiment: Experiment; results: Results | undefined }) {
  const weights = experiment.arms.reduce((sum, arm) => sum + arm.weight, 0);
  const rows = experiment.arms.map((arm) => ({
    arm,
    share: arm.weight / weights,
    result: results?.arms.find((one) => one.name === arm.name),
  }));
  return (
    <Card title="Arms" hint={results && "Means of a job, with intervals that hold however often one looks."}>
      <Table label="Arms" columns={results ? [...SET_UP, ...FIGURES] : SET_UP} rows={rows} rowKey={({ arm }) => arm.name} />
    </Card>
  );
}
