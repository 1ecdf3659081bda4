"use client";

import type { components } from "@/api/schema";
import { useSession } from "@/auth/session";
import { Counts, RequestState } from "@/components/settings/requests";
import { Copy } from "@/components/ui/copy";
import { Dialog } from "@/components/ui/dialog";
import { Facts } from "@/components/ui/facts";
import { count, when } from "@/lib/format";

export type Erasure = components["schemas"]["ErasureView"];

export function scopeWords(scope: Erasure["scope"]): string {
  if (scope.everything) return "everything";
  if (scope.tag) return `jobs with the tag ${scope.tag}`;
  if (scope.before) return `jobs from before ${when(String(scope.before))}`;
  return Array.isArray(scope.job_ids) ? `${count(scope.job_ids.length)} jobs by id` : "";
}

export function Receipt({ erasure, onClose }: { erasure: Erasure | null; onClose: () => void }) {
  const { tenant } = useSession();
  return (
    <Dialog
      open={erasure !== null}
      onOpenChange={onClose}
      title="Receipt of an erasure"
      hint="Its SHA-256 is over tenant_id, id, requested_by, scope, started_at and counts, as canonical JSON."
      footer={erasure && <Copy text={JSON.stringify({ tenant_id: tenant?.id, ...erasure }, null, 2)} label="Copy as JSON" />}
    >
      {erasure && (
        <Facts
          facts={[
            ["State", <RequestState key="state" {...erasure} />],
            ["Id", <code key="id">{erasure.id}</code>],
            ["Erased", scopeWords(erasure.scope)],
            ["Asked for by", erasure.requested_by],
            ["Begun", when(erasure.started_at)],
            ["Ended", when(erasure.finished_at)],
            ["Rows", <Counts key="rows" counts={erasure.counts} />],
            ["SHA-256", erasure.sha256 ? <code key="sha" className="text-xs">{erasure.sha256}</code> : undefined],
          ]}
        />
      )}
    </Dialog>
  );
}
