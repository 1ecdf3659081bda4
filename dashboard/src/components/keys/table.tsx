import { limitWords } from "@/components/budgets/words";
import { type ApiKey, type KeyDeed, type Quota, TONES } from "@/components/keys/types";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { type Column, Table } from "@/components/ui/table";
import { ago, onDay, when } from "@/lib/format";

interface Props {
  keys: readonly ApiKey[];
  quotas: readonly Quota[];
  onDeed: (deed: KeyDeed) => void;
}

export function KeyTable({ keys, quotas, onDeed }: Props) {
  const columns: Column<ApiKey>[] = [
    { name: "Key", cell: (key) => <Name apiKey={key} /> },
    { name: "State", cell: (key) => <Badge tone={TONES[key.state]}>{key.state}</Badge> },
    { name: "Last used", cell: (key) => <Moment at={key.last_used_at} never="never" /> },
    { name: "May", wide: true, cell: (key) => <Scopes scopes={key.scopes} /> },
    { name: "Limits", cell: (key) => <Limits apiKey={key} quotas={quotas.filter(({ scope }) => scope === `key:${key.id}`)} /> },
    { name: "Actions", cell: (key) => key.state === "live" && <Deeds apiKey={key} onDeed={onDeed} /> },
  ];
  return <Table label="API keys" columns={columns} rows={keys} rowKey={(key) => key.id} />;
}

function Name({ apiKey }: { apiKey: ApiKey }) {
  return (
    <div className="min-w-32 max-w-64">
      <span className="font-medium wrap-anywhere">{apiKey.name}</span>
      <code className="block text-xs text-muted-foreground">{apiKey.prefix}…</code>
      {apiKey.old_secret_until && (
        <span className="block text-xs text-muted-foreground">The old secret works until {when(apiKey.old_secret_until)}</span>
      )}
    </div>
  );
}

function Moment({ at, never }: { at: string | null; never: string }) {
  if (!at) return <span className="text-muted-foreground">{never}</span>;
  return (
    <time dateTime={at} title={when(at)} className="whitespace-nowrap">
      {ago(at)}
    </time>
  );
}

function Scopes({ scopes }: { scopes: readonly string[] }) {
  return (
    <ul className="text-xs whitespace-nowrap">
      {scopes.map((scope) => (
        <li key={scope}>{scope}</li>
      ))}
    </ul>
  );
}

function Limits({ apiKey, quotas }: { apiKey: ApiKey; quotas: readonly Quota[] }) {
  const lines = [
    ...(apiKey.models ? [`only ${apiKey.models.join(", ")}`] : []),
    ...(apiKey.expires_at ? [`${apiKey.state === "expired" ? "expired on" : "until"} ${onDay(apiKey.expires_at)}`] : []),
    ...quotas.map(limitWords),
  ];
  if (lines.length === 0) return <span className="text-muted-foreground">none of its own</span>;
  return (
    <ul className="min-w-32 text-xs">
      {lines.map((line) => (
        <li key={line} className="wrap-anywhere">
          {line}
        </li>
      ))}
    </ul>
  );
}

const DEEDS = [
  ["change", "Change"],
  ["rotate", "Rotate"],
  ["revoke", "Revoke"],
] as const;

function Deeds({ apiKey, onDeed }: { apiKey: ApiKey; onDeed: (deed: KeyDeed) => void }) {
  return (
    <div className="flex gap-1 max-sm:flex-col">
      {DEEDS.map(([name, label]) => (
        <Button
          key={name}
          size="small"
          look={name === "revoke" ? "danger" : "plain"}
          aria-label={`${label} ${apiKey.name}`}
          onClick={() => onDeed({ name, apiKey })}
        >
          {label}
        </Button>
      ))}
    </div>
  );
}
