"use client";

import { useResource } from "@/api/hooks";
import type { Asked, Job } from "@/components/jobs/words";
import { Card } from "@/components/ui/card";
import { Code, Copy } from "@/components/ui/copy";
import { Loaded } from "@/components/ui/states";
import { count } from "@/lib/format";

/** Text as it was written. Long ones scroll within themselves. */
export function Said({ children, label }: { children: string; label: string }) {
  return (
    <div
      tabIndex={0}
      role="region"
      aria-label={label}
      className="max-h-80 overflow-y-auto rounded-md border bg-muted/50 p-3 text-sm whitespace-pre-wrap wrap-anywhere"
    >
      {children}
    </div>
  );
}

type Turn = Asked["messages"][number];

const ROLES: Record<Turn["role"], string> = { system: "System", user: "User", assistant: "Assistant", tool: "Tool" };

function TurnView({ turn, number }: { turn: Turn; number: number }) {
  const role = ROLES[turn.role];
  return (
    <li className="grid gap-1">
      <p className="text-xs font-medium text-muted-foreground">
        {role}
        {turn.name && ` · ${turn.name}`}
        {turn.images > 0 && ` · ${count(turn.images)} ${turn.images === 1 ? "picture" : "pictures"}`}
      </p>
      {turn.text && <Said label={`${role}, turn ${number}`}>{turn.text}</Said>}
      {turn.tool_calls.map((call) => (
        <Code key={call.id}>{`${call.name}(${call.arguments})`}</Code>
      ))}
    </li>
  );
}

export function RequestCard({ job }: { job: Job }) {
  const asked = useResource(
    ["job-request", job.id],
    (api) => api.GET("/v1/jobs/{job_id}/request", { params: { path: { job_id: job.id } } }),
    { revalidateOnFocus: false }, // it never changes
  );
  return (
    <Card title="Prompt">
      <Loaded found={asked}>
        {(found) => (
          <div className="grid gap-4">
            <ol className="grid gap-3">
              {found.messages.map((turn, index) => (
                <TurnView key={index} turn={turn} number={index + 1} />
              ))}
            </ol>
            {Object.keys(found.parameters).length > 0 && (
              <details>
                <summary className="cursor-pointer text-sm text-muted-foreground">Parameters</summary>
                <div className="mt-2">
                  <Code>{JSON.stringify(found.parameters, null, 2)}</Code>
                </div>
              </details>
            )}
          </div>
        )}
      </Loaded>
    </Card>
  );
}

export function AnswerText({ answer }: { answer: NonNullable<Job["answer"]> }) {
  const choices = [answer, ...(answer.more ?? [])];
  return (
    <div className="grid gap-3">
      {choices.map((choice, index) => (
        <div key={index} className="grid gap-2">
          {choice.refused && <p className="text-sm text-warning">The model declined.</p>}
          {choice.text && <Said label={choices.length > 1 ? `Answer ${index + 1}` : "Answer"}>{choice.text}</Said>}
          {(choice.tool_calls ?? []).map((call) => (
            <Code key={call.id}>{`${call.name}(${call.arguments})`}</Code>
          ))}
          {!choice.text && !choice.tool_calls?.length && <p className="text-sm text-muted-foreground">The answer is empty.</p>}
        </div>
      ))}
    </div>
  );
}

export const CopyAnswer = ({ job }: { job: Job }) => (job.answer?.text ? <Copy text={job.answer.text} label="Copy answer" /> : null);
