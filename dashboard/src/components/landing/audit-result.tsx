import type { Audit, Part, PartName } from "@/components/landing/audit";
import { ordered } from "@/components/landing/estimate";
import { range, roughly } from "@/components/landing/range";
import { type Column, Table } from "@/components/ui/table";
import { count, money, onDay, percent } from "@/lib/format";

const NAMES: Record<PartName, string> = {
  exact: "Identical requests",
  semantic: "Near duplicates",
  route: "Over-powered routes (an estimate)",
  prefix: "Cacheable prefixes",
  batch: "Work that can wait",
  total: "Together",
};

/** Figures are of the log; `spend` (US dollars a month) carries them over to a month like it. */
export function AuditResult({ audit, spend }: { audit: Audit; spend: number }) {
  const monthly = spend / audit.cents;
  const total = audit.parts[audit.parts.length - 1] as Part;
  const columns: Column<Part>[] = [
    { name: "Part", cell: (part) => NAMES[part.name] },
    { name: "Calls", cell: (part) => count(part.calls), number: true, wide: true },
    { name: "In the log", cell: (part) => range(...readings(part)), number: true },
    { name: "95% interval", cell: (part) => range(part.low, part.high), number: true, wide: true },
    { name: "Of its cost", cell: (part) => shares(part, audit.cents), number: true },
  ];
  return (
    <div className="grid min-w-0 gap-3">
      <p className="text-sm text-muted-foreground">
        {count(audit.calls)} calls{span(audit)}, {money(audit.cents)}.
      </p>
      <Table label="What the audit found" columns={columns} rows={audit.parts} rowKey={(part) => part.name} />
      <p>
        At your spend, were every month like this log:{" "}
        <strong>{roughly(total.cautious * monthly, total.hopeful * monthly)}</strong> a month. With 95% confidence
        another log of its kind has {roughly(total.low * monthly, total.high * monthly)}.
      </p>
      {audit.warnings.length > 0 && (
        <ul className="grid list-disc gap-1 pl-5 text-sm text-warning wrap-anywhere">
          {audit.warnings.map((warning) => (
            <li key={warning}>{warning}</li>
          ))}
        </ul>
      )}
      <p className="text-sm text-muted-foreground">
        “From, to” are a cautious and a hopeful reading of what a log cannot say. The interval holds both and says how
        far another log of this kind could differ. Whether answers are as good, only a holdout can tell.
      </p>
    </div>
  );
}

const readings = (part: Part): [number, number] => ordered(part.cautious, part.hopeful);

function shares(part: Part, cents: number): string {
  const [low, high] = readings(part).map((saved) => percent(saved / cents)) as [string, string];
  return low === high ? low : `${low} to ${high}`;
}

const span = ({ since, until }: Audit): string => (since && until ? `, ${onDay(since)} to ${onDay(until)}` : "");
