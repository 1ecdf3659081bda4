"use client";

import Link from "next/link";
import type { ReactNode } from "react";
import { batchPath } from "@/components/batches/words";
import { JobActions } from "@/components/jobs/actions";
import { AnswerText, CopyAnswer, RequestCard } from "@/components/jobs/conversation";
import { Feedback } from "@/components/jobs/feedback";
import { RoutingCard } from "@/components/jobs/routing";
import { JobStatusBadge } from "@/components/jobs/status";
import { Timeline } from "@/components/jobs/timeline";
import { CLASSES, isOpen, type Job, jobPath, shortId, whereabouts } from "@/components/jobs/words";
import { PageTitle } from "@/components/shell/frame";
import { Card } from "@/components/ui/card";
import { Facts } from "@/components/ui/facts";
import { Loading } from "@/components/ui/states";
import { count, milliseconds, when } from "@/lib/format";

export function JobDetail({ job, onChange }: { job: Job; onChange: () => void }) {
  return (
    <>
      <PageTitle title={`Job ${shortId(job.id)}`} actions={<JobActions job={job} onChange={onChange} />} />
      <p className="-mt-2 flex flex-wrap items-center gap-2 text-sm" role="status">
        <JobStatusBadge job={job} />
        {isOpen(job) && <span className="text-muted-foreground">{whereabouts(job)}</span>}
      </p>
      <RequestCard job={job} />
      <Ended job={job} />
      {job.routing && <RoutingCard routing={job.routing} />}
      <Timeline job={job} />
      <About job={job} />
    </>
  );
}

function Ended({ job }: { job: Job }) {
  if (job.answer) {
    return (
      <Card title="Answer" actions={<CopyAnswer job={job} />}>
        <div className="grid gap-4">
          <AnswerText answer={job.answer} />
          <Feedback job={job} />
        </div>
      </Card>
    );
  }
  if (job.error) {
    return (
      <Card title="Why there is no answer">
        <p className="text-sm wrap-anywhere">{job.error.message}</p>
        <p className="mt-1 font-mono text-xs text-muted-foreground">{job.error.code}</p>
      </Card>
    );
  }
  return isOpen(job) ? (
    <Card title="Answer">
      <Loading what="Waiting for the answer" />
    </Card>
  ) : null;
}

const link = (id: string): ReactNode => (
  <Link href={jobPath(id)} className="font-mono text-xs underline underline-offset-4">
    {shortId(id)}
  </Link>
);

/** Batches are named as OpenAI names them. */
function BatchLink({ id }: { id: string }) {
  return (
    <Link href={batchPath(`batch_${id.replaceAll("-", "")}`)} className="font-mono text-xs underline underline-offset-4">
      {shortId(id)}
    </Link>
  );
}

function About({ job }: { job: Job }) {
  const metadata = Object.entries(job.metadata);
  const controls = Object.entries(job.controls ?? {}).filter(([, value]) => value != null);
  const took = job.finished_at ? Date.parse(job.finished_at) - Date.parse(job.created_at) : null;
  return (
    <Card title="About this job">
      <Facts
        facts={[
          ["Id", <span key="id" className="font-mono text-xs">{job.id}</span>],
          ["Class", CLASSES[job.class]],
          ["Model asked for", job.model],
          ["Submitted", when(job.created_at)],
          ["Deadline", when(job.deadline)],
          ["Ended", job.finished_at ? when(job.finished_at) : undefined],
          ["Took", took === null ? undefined : milliseconds(took)],
          ["Held until", job.run_after ? when(job.run_after) : undefined],
          ["Tokens", job.answer ? `${count(job.answer.input_tokens)} in, ${count(job.answer.output_tokens)} out` : undefined],
          ["Ended because", job.answer?.finish_reason],
          ["Put back", job.retries > 0 ? count(job.retries) : undefined],
          ["Tags", job.tags?.length ? job.tags.join(", ") : undefined],
          ["Batch", job.batch_id ? <BatchLink key="batch" id={job.batch_id} /> : undefined],
          ["Line of its batch", job.custom_id ?? undefined],
          ["Replay of", job.replay_of ? link(job.replay_of) : undefined],
          ["Replayed as", job.replayed_as ? link(job.replayed_as) : undefined],
          ...metadata.map(([name, value]) => [`Metadata: ${name}`, value] as const),
          ...controls.map(([name, value]) => [`Control: ${name}`, String(value)] as const),
        ]}
      />
    </Card>
  );
}
