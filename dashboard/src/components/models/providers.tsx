import { Badge } from "@/components/ui/badge";
import { Card } from "@/components/ui/card";
import { Empty } from "@/components/ui/states";
import { type Column, Table } from "@/components/ui/table";
import { HEALTH, type Health, type Provider, type Providers } from "@/components/models/words";
import { ago, count, UNKNOWN, when } from "@/lib/format";

export function HealthBadge({ health }: { health: Health }) {
  const { name, tone } = HEALTH[health];
  return <Badge tone={tone}>{name}</Badge>;
}

const COLUMNS: Column<Provider>[] = [
  { name: "Provider", cell: (one) => <span className="font-medium">{one.name}</span> },
  { name: "Health", cell: (one) => <Standing one={one} /> },
  { name: "Keys", cell: (one) => <Keys one={one} /> },
  { name: "Limits of a key, a minute", cell: (one) => <Limits one={one} />, wide: true },
  { name: "Last answer", cell: (one) => <Moment at={one.last_success_at} />, wide: true },
  { name: "Models", cell: (one) => count(one.models.length), number: true, wide: true },
  { name: "Batches", cell: (one) => (one.batch_lane ? "Yes" : "No"), wide: true },
];

/** Who is called, and how they are. Who is off is named by what switches him on. */
export function ProviderHealth({ found }: { found: Providers }) {
  const on = found.providers.filter((one) => one.configured);
  const off = found.providers.filter((one) => !one.configured);
  return (
    <Card title="Providers" hint="A provider that fails too often is not called for a while; others take its place meanwhile.">
      {!found.health_known && (
        <p role="status" className="mb-3 text-sm text-warning">
          The broker does not answer, so health is not known just now. Calls are made all the same.
        </p>
      )}
      {on.length === 0 ? (
        <Empty title="No provider is switched on">Set one of the variables below, or add a key of your own.</Empty>
      ) : (
        <Table label="Providers" columns={COLUMNS} rows={on} rowKey={(one) => one.name} />
      )}
      <States />
      {off.length > 0 && <SwitchedOff providers={off} />}
    </Card>
  );
}

function Standing({ one }: { one: Provider }) {
  return (
    <div className="grid justify-items-start gap-1">
      <HealthBadge health={one.health} />
      {one.retry_at && <span className="text-xs text-muted-foreground">next try {ago(one.retry_at)}</span>}
      {one.last_error && one.health !== "healthy" && (
        <span className="text-xs wrap-anywhere text-muted-foreground">
          {one.last_error}, {ago(one.last_error_at)}
        </span>
      )}
      {one.unwell_models.map((model) => (
        <span key={model.model} className="text-xs wrap-anywhere text-muted-foreground">
          {model.model}: {HEALTH[model.health].name.toLowerCase()}
          {model.retry_at && `, next try ${ago(model.retry_at)}`}
        </span>
      ))}
    </div>
  );
}

function Keys({ one }: { one: Provider }) {
  const unwell = one.keys.filter((key) => key.health === "open" || key.health === "degraded");
  return (
    <div className="grid gap-1">
      <span>{one.own_key ? "Your own" : one.keys.length > 0 ? `${count(one.keys.length)} of the operator` : "None needed"}</span>
      {unwell.map((key) => (
        <span key={key.number} className="text-xs text-muted-foreground">
          key {key.number}: {HEALTH[key.health].name.toLowerCase()}
        </span>
      ))}
    </div>
  );
}

function Limits({ one }: { one: Provider }) {
  if (one.limits.length === 0) return "None set";
  return (
    <ul className="grid gap-0.5">
      {one.limits.map((limit) => (
        <li key={limit.model ?? ""}>
          {limit.model && `${limit.model}: `}
          {[
            limit.requests_per_minute !== null && `${count(limit.requests_per_minute)} requests`,
            limit.tokens_per_minute !== null && `${count(limit.tokens_per_minute)} tokens`,
          ]
            .filter(Boolean)
            .join(", ")}
        </li>
      ))}
    </ul>
  );
}

const Moment = ({ at }: { at: string | null | undefined }) => (at ? <time dateTime={at} title={when(at)}>{ago(at)}</time> : UNKNOWN);

function States() {
  return (
    <details className="mt-4 text-sm">
      <summary className="cursor-pointer font-medium">What the states mean</summary>
      <dl className="mt-2 grid gap-1.5">
        {Object.entries(HEALTH).map(([health, { means }]) => (
          <div key={health} className="flex flex-wrap gap-2">
            <dt>
              <HealthBadge health={health as Health} />
            </dt>
            <dd className="text-muted-foreground">{means}</dd>
          </div>
        ))}
      </dl>
    </details>
  );
}

function SwitchedOff({ providers }: { providers: readonly Provider[] }) {
  return (
    <details className="mt-3 text-sm">
      <summary className="cursor-pointer font-medium">{count(providers.length)} that are off</summary>
      <ul className="mt-2 grid gap-1 text-muted-foreground sm:grid-cols-2">
        {providers.map((one) => (
          <li key={one.name} className="wrap-anywhere">
            {one.name}: <code>{one.switched_on_by}</code>
          </li>
        ))}
      </ul>
    </details>
  );
}
