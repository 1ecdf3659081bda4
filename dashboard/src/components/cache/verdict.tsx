import { Badge } from "@/components/ui/badge";
import { Card } from "@/components/ui/card";
import { Facts } from "@/components/ui/facts";
import { type Column, Table } from "@/components/ui/table";
import { type Explanation, feature, GUARD_POLICIES, stateOf } from "@/components/cache/words";
import { percent } from "@/lib/format";

type Part = NonNullable<Explanation["pair"]>["features"][number];
type Guard = NonNullable<Explanation["guards"]>[number];

/** What came of two questions, and of what it was made. */
export function Verdict({ found }: { found: Explanation }) {
  const { pair, verdict, guards = [] } = found;
  return (
    <>
      <Card title={found.served ? "The kept answer would be served" : "The kept answer would not be served"} actions={<Outcome found={found} />}>
        <div className="grid gap-4">
          <p className="wrap-anywhere">{found.why}</p>
          {found.asked_read && found.kept_read ? <Figures found={found} /> : <Unread found={found} />}
        </div>
      </Card>
      {guards.length > 0 && (
        <Card title="Differences that guards see" hint={`${GUARD_POLICIES[found.guard_policy]}.`}>
          <Table label="Guards" columns={GUARDS} rows={guards} rowKey={(one) => one.name} />
        </Card>
      )}
      {pair && (
        <Card title="What the comparison of the two is made of" hint="Above 0 speaks for serving, below against it. Together they make the score.">
          <Parts label="The comparison" parts={pair.features} />
        </Card>
      )}
      {verdict && (
        <Card title="What the namespace makes of it" hint={`It is ${stateOf(verdict.state).name.toLowerCase()}. ${stateOf(verdict.state).means}`}>
          <Parts label="The namespace" parts={verdict.features} />
        </Card>
      )}
    </>
  );
}

const Outcome = ({ found }: { found: Explanation }) => (
  <Badge tone={found.served ? "good" : "warning"}>{found.served ? "Served" : "Not served"}</Badge>
);

const DIGITS = 3;

function Figures({ found }: { found: Explanation }) {
  const { pair, verdict, cosine } = found;
  return (
    <Facts
      facts={[
        [
          "Near in meaning",
          cosine == null
            ? undefined
            : `${cosine.toFixed(DIGITS)} (cosine); below ${found.least_cosine.toFixed(DIGITS)} nothing is looked at`,
        ],
        ["The two alone", pair ? `${percent(pair.score)} likely that one answer serves both` : undefined],
        [
          "In the namespace",
          verdict
            ? `${percent(verdict.probability)} likely; from ${percent(verdict.cut_probability)} on it is served`
            : undefined,
        ],
      ]}
    />
  );
}

function Unread({ found }: { found: Explanation }) {
  const which = found.asked_read ? "the kept question" : found.kept_read ? "the new question" : "either question";
  return <p className="text-sm text-muted-foreground">The embedding model does not read all of {which}, so it is compared with nothing.</p>;
}

const GUARDS: Column<Guard>[] = [
  { name: "Guard", cell: (one) => one.name },
  { name: "What it sees", cell: (one) => <span className="wrap-anywhere">{one.why}</span> },
  { name: "Forbids it", cell: (one) => (one.forbids ? "Yes" : "No: it counts in the score alone") },
];

const PARTS: Column<Part>[] = [
  { name: "What is looked at", cell: (one) => <span title={one.name}>{feature(one.name)}</span> },
  { name: "Seen", cell: (one) => one.value.toFixed(DIGITS), number: true },
  { name: "Weight", cell: (one) => one.weight.toFixed(DIGITS), number: true, wide: true },
  { name: "Speaks for serving", cell: (one) => signed(one.contribution), number: true },
];

const signed = (value: number): string => (value > 0 ? "+" : "") + value.toFixed(2);

function Parts({ label, parts }: { label: string; parts: readonly Part[] }) {
  const strongest = parts.toSorted((one, other) => Math.abs(other.contribution) - Math.abs(one.contribution));
  return <Table label={label} columns={PARTS} rows={strongest} rowKey={(one) => one.name} />;
}
