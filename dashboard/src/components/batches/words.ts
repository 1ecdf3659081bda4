import type { components } from "@/api/schema";
import type { Tone } from "@/components/ui/badge";

type Schemas = components["schemas"];
export type Batch = Schemas["BatchView"];
export type BatchStatus = Schemas["BatchStatus"];

export const OPEN_REFRESH_MS = 2000;

export const STATUSES: Record<BatchStatus, { name: string; tone: Tone }> = {
  validating: { name: "Validating", tone: "neutral" },
  in_progress: { name: "In progress", tone: "accent" },
  finalizing: { name: "Finalizing", tone: "accent" },
  completed: { name: "Completed", tone: "good" },
  failed: { name: "Failed", tone: "bad" },
  expired: { name: "Expired", tone: "bad" },
  cancelling: { name: "Cancelling", tone: "warning" },
  cancelled: { name: "Cancelled", tone: "warning" },
};

const OPEN: ReadonlySet<BatchStatus> = new Set(["validating", "in_progress", "finalizing", "cancelling"]);
const CANCELLABLE: ReadonlySet<BatchStatus> = new Set(["validating", "in_progress"]);

export const isOpen = (batch: Batch): boolean => OPEN.has(batch.status);
export const mayBeCancelled = (batch: Batch): boolean => CANCELLABLE.has(batch.status);

export const batchPath = (id: string): string => `/batches/detail/?id=${encodeURIComponent(id)}`;

/** What its maker called it, if anything. */
export const nameOf = (batch: Batch): string | undefined => batch.metadata?.name;
