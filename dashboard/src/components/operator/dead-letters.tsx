"use client";

import Link from "next/link";
import { useState } from "react";
import { toast } from "sonner";
import type { Api } from "@/api/client";
import { useAction } from "@/api/hooks";
import { usePaged } from "@/api/paged";
import type { components } from "@/api/schema";
import { usePermitted } from "@/auth/permitted";
import { useSession } from "@/auth/session";
import { jobPath } from "@/components/jobs/words";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { Confirm } from "@/components/ui/dialog";
import { Paged } from "@/components/ui/paged";
import { Empty } from "@/components/ui/states";
import { type Column, Table } from "@/components/ui/table";
import { ago, when } from "@/lib/format";

type Job = components["schemas"]["JobView"];

const replay = (api: Api, job_id: string) => api.POST("/v1/jobs/{job_id}/replay", { params: { path: { job_id } } });

/** Those of the tenant that one acts for: their words are its members' business, whoever operates the rest. */
export function DeadLetters() {
  const { tenant } = useSession();
  const mayReplay = usePermitted("prompts:write");
  const found = usePaged<Job>(["dead-letters"], (api, after) => api.GET("/v1/dead-letters", { params: { query: { after } } }));
  const [asking, setAsking] = useState(false);
  const columns: Column<Job>[] = [
    { name: "Job", cell: (job) => <JobLink id={job.id} /> },
    { name: "State", cell: (job) => <Badge tone="bad">{job.status}</Badge> },
    { name: "Why", cell: (job) => <Why job={job} /> },
    { name: "Ended", wide: true, cell: (job) => <span title={when(job.finished_at)}>{ago(job.finished_at)}</span> },
    ...(mayReplay ? [{ name: "Actions", cell: (job: Job) => <Replay job={job} onDone={found.mutate} /> }] : []),
  ];
  const all = mayReplay && found.rows && found.rows.length > 0 && <Button onClick={() => setAsking(true)}>Replay all</Button>;
  return (
    <Card title={`Dead letters of ${tenant?.name ?? "the tenant"}`} hint="Jobs that failed or expired, and that nobody has replayed." actions={all}>
      <Paged found={found} empty={<Empty title="No dead letter">Jobs that fail or expire are listed here.</Empty>}>
        {(rows) => <Table label="Dead letters" columns={columns} rows={rows} rowKey={(job) => job.id} />}
      </Paged>
      {asking && (
        <ReplayAll
          onClose={() => setAsking(false)}
          onDone={() => {
            setAsking(false);
            found.mutate();
          }}
        />
      )}
    </Card>
  );
}

function JobLink({ id }: { id: string }) {
  return (
    <Link href={jobPath(id)} className="text-primary underline underline-offset-4 hover:no-underline">
      <code className="text-xs whitespace-nowrap">{id}</code>
    </Link>
  );
}

function Why({ job }: { job: Job }) {
  if (!job.error) return null;
  return (
    <span className="block min-w-48 wrap-anywhere">
      <code className="text-xs">{job.error.code}</code> {job.error.message}
    </span>
  );
}

function Replay({ job, onDone }: { job: Job; onDone: () => void }) {
  const { run, busy } = useAction(replay);
  const again = async () => {
    if (!(await run(job.id))) return;
    toast.success("It was submitted anew.");
    onDone();
  };
  return (
    <Button size="small" busy={busy} aria-label={`Replay ${job.id}`} onClick={again}>
      Replay
    </Button>
  );
}

const MOST = 100; // in one call
const replayAll = (api: Api) => api.POST("/v1/dead-letters/replay", { body: { limit: MOST, metadata: {} } });

function ReplayAll({ onClose, onDone }: { onClose: () => void; onDone: () => void }) {
  const { run, busy } = useAction(replayAll);
  const confirm = async () => {
    const found = await run();
    if (!found) return;
    const { replayed, has_more } = found.data;
    toast.success(`${replayed.length} submitted anew.${has_more ? " There are more: replay again." : ""}`);
    onDone();
  };
  return (
    <Confirm
      open
      onOpenChange={onClose}
      title="Replay all dead letters?"
      hint={`Up to ${MOST} are submitted anew, as far as quotas have room. Each may cost what its first try did.`}
      action="Replay all"
      keep="Leave them"
      look="primary"
      busy={busy}
      onConfirm={confirm}
    />
  );
}
