"use client";

import { useRouter } from "next/navigation";
import { useState } from "react";
import type { Api } from "@/api/client";
import { useAction } from "@/api/hooks";
import { usePermitted } from "@/auth/permitted";
import { ExperimentForm } from "@/components/experiments/form";
import type { Experiment } from "@/components/experiments/words";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/dialog";

const named = (id: string) => ({ params: { path: { experiment_id: id } } });
const start = (api: Api, id: string) => api.POST("/v1/experiments/{experiment_id}/start", named(id));
const stop = (api: Api, id: string) => api.POST("/v1/experiments/{experiment_id}/stop", named(id));
const remove = (api: Api, id: string) => api.DELETE("/v1/experiments/{experiment_id}", named(id));

interface Words {
  action: string;
  title: string;
  hint: string;
  keep: string;
  look: "danger" | "primary";
}

const START: Words = {
  action: "Start",
  title: "Start this experiment?",
  hint: "From now on jobs are drawn into its arms. Its arms and its plan can no longer be changed.",
  keep: "Not yet",
  look: "primary",
};
const STOP: Words = {
  action: "Stop",
  title: "Stop this experiment?",
  hint: "No job is drawn into its arms any more. It cannot be started again; its figures stay.",
  keep: "Let it run",
  look: "danger",
};
const REMOVE: Words = {
  action: "Remove",
  title: "Remove this experiment?",
  hint: "Its figures go with it.",
  keep: "Keep it",
  look: "danger",
};

/** A button that asks first. `act` resolves to undefined where it was refused. */
function Asked({ words, act, busy }: { words: Words; act: () => Promise<unknown>; busy: boolean }) {
  const [asking, setAsking] = useState(false);
  const confirmed = async () => {
    await act();
    setAsking(false);
  };
  return (
    <>
      <Button look={words.look} onClick={() => setAsking(true)}>
        {words.action}
      </Button>
      <Confirm open={asking} onOpenChange={setAsking} {...words} busy={busy} onConfirm={confirmed} />
    </>
  );
}

export function ExperimentActions({ experiment, onChange }: { experiment: Experiment; onChange: () => void }) {
  const mayWrite = usePermitted("settings:write");
  const router = useRouter();
  const starting = useAction(start);
  const stopping = useAction(stop);
  const removing = useAction(remove);
  if (!mayWrite) return null;
  const { id, status } = experiment;
  const removed = async () => {
    if (await removing.run(id)) router.push("/experiments/");
  };
  return (
    <>
      {status === "draft" && <ExperimentForm draft={experiment} onSaved={onChange} />}
      {status !== "running" && <Asked words={REMOVE} act={removed} busy={removing.busy} />}
      {status === "draft" && <Asked words={START} act={() => starting.run(id).then(onChange)} busy={starting.busy} />}
      {status === "running" && <Asked words={STOP} act={() => stopping.run(id).then(onChange)} busy={stopping.busy} />}
    </>
  );
}
