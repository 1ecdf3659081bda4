"use client";

import type { components } from "@/api/schema";
import { Counts, RequestState } from "@/components/settings/requests";
import { Copy } from "@/components/ui/copy";
import { Dialog } from "@/components/ui/dialog";
import { Fact, Facts } from "@/components/ui/facts";
import { count, when } from "@/lib/format";

export type Erasure = components["schemas"]["ErasureView"];

export function scopeWords(scope: Erasure["scope"]): string {
  if (scope.everything) return "everything";
  if (scope.tag) return `jobs with the tag ${scope.tag}`;
  if (scope.before) return `jobs from before ${when(String(scope.before))}`;
  return Array.isArray(scope.job_ids) ? `${count(scope.job_ids.length)} jobs by id` : "";
}

export function Receipt({ erasure, onClose }: { erasure: Erasure | null; onClose: () => void }) {
  return (
    <Dialog
      open={erasure !== null}
      onOpenChange={onClose}
      title="Receipt of an erasure"
      hint="Its SHA-256 is over the tenant's id and what stands here, as canonical JSON."
      footer={erasure && <Copy text={JSON.stringify(erasure, null, 2)} label="Copy as JSON" />}
    >
      {erasure && (
        <Facts>
          <Fact name="State">
            <RequestState {...erasure} />
          </Fact>
          <Fact name="Id">
            <code>{erasure.id}</code>
          </Fact>
          <Fact name="Erased">{scopeWords(erasure.scope)}</Fact>
          <Fact name="Asked for by">{erasure.requested_by}</Fact>
          <Fact name="Begun">{when(erasure.started_at)}</Fact>
          <Fact name="Ended">{when(erasure.finished_at)}</Fact>
          <Fact name="Rows">
            <Counts counts={erasure.counts} />
          </Fact>
          {erasure.sha256 && (
            <Fact name="SHA-256">
              <code className="text-xs">{erasure.sha256}</code>
            </Fact>
          )}
        </Facts>
      )}
    </Dialog>
  );
}
