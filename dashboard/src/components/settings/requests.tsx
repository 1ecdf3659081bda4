import type { components } from "@/api/schema";
import { Badge, type Tone } from "@/components/ui/badge";
import { count } from "@/lib/format";

type Status = components["schemas"]["RequestStatus"];

const TONES: Record<Status, Tone> = { queued: "neutral", in_progress: "warning", completed: "good", failed: "bad" };

export const REFRESHED_MS = 3000; // while one is open

export const isOpen = ({ status }: { status: Status }): boolean => status === "queued" || status === "in_progress";

export function RequestState({ status, error }: { status: Status; error: string | null }) {
  return (
    <span className="grid justify-items-start gap-1">
      <Badge tone={TONES[status]}>{status.replace("_", " ")}</Badge>
      {error && <span className="text-xs wrap-anywhere text-danger">{error}</span>}
    </span>
  );
}

/** Rows by table; those of which there are none are left out. */
export function Counts({ counts }: { counts: Readonly<Record<string, number>> }) {
  const some = Object.entries(counts).filter(([, rows]) => rows > 0);
  if (some.length === 0) return <span className="text-muted-foreground">none</span>;
  return (
    <ul className="grid gap-0.5 text-xs">
      {some.map(([table, rows]) => (
        <li key={table}>
          {count(rows)} <code>{table}</code>
        </li>
      ))}
    </ul>
  );
}
