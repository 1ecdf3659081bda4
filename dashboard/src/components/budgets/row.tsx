import { amount, limitWords, type Quota, scopeParts } from "@/components/budgets/words";
import { Badge } from "@/components/ui/badge";
import { Bar } from "@/components/ui/bar";
import { Button } from "@/components/ui/button";
import { ago, when } from "@/lib/format";

interface Props {
  quota: Quota;
  names: ReadonlyMap<string, string>; // of keys, by id
  onSet?: (quota: Quota) => void;
  onRemove?: (quota: Quota) => void;
}

const SOURCES: Record<Quota["source"], string> = { plan: "of the plan", operator: "of the operator", tenant: "your own" };

export function QuotaRow({ quota, names, onSet, onRemove }: Props) {
  const whose = scopeWords(quota.scope, names);
  const own = quota.source === "tenant";
  return (
    <li className="grid gap-2 rounded-md border p-3">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <span className="text-sm font-medium wrap-anywhere">
          {whose}: {limitWords(quota)}
        </span>
        <Badge tone={own ? "accent" : "neutral"}>{SOURCES[quota.source]}</Badge>
        {own && (
          <span className="ml-auto flex gap-1">
            {onSet && (
              <Button size="small" aria-label={`Change: ${whose}, ${limitWords(quota)}`} onClick={() => onSet(quota)}>
                Change
              </Button>
            )}
            {onRemove && (
              <Button size="small" look="danger" aria-label={`Remove: ${whose}, ${limitWords(quota)}`} onClick={() => onRemove(quota)}>
                Remove
              </Button>
            )}
          </span>
        )}
      </div>
      <Bar name={`Used by ${whose}`} told={standing(quota)} full={share(quota.used, quota.limit)} held={share(quota.reserved, quota.limit)} />
      <p className="text-xs text-muted-foreground">
        {standing(quota)} · <span title={when(quota.resets_at)}>begins anew {ago(quota.resets_at)}</span>
      </p>
    </li>
  );
}

/** A limit of 0 is full as soon as anything counts against it, and lets in what costs nothing. */
function share(part: string, limit: string): number {
  const whole = Number(limit);
  return whole > 0 ? Number(part) / whole : Number(part) > 0 ? 1 : 0;
}

function standing({ used, reserved, left, unit }: Quota): string {
  const held = Number(reserved) > 0 ? `, ${amount(reserved, unit)} reserved for what is open` : "";
  return `${amount(used, unit)} used${held}, ${amount(left, unit)} left`;
}

function scopeWords(scope: string, names: ReadonlyMap<string, string>): string {
  const { kind, of } = scopeParts(scope);
  if (kind === "tenant") return "Everything";
  return kind === "key" ? `Key ${names.get(of) ?? of}` : `Tag ${of}`;
}
