"use client";

import { useRouter } from "next/navigation";
import { usePermitted } from "@/auth/permitted";
import { ExperimentForm } from "@/components/experiments/form";
import { ExperimentList, useExperiments } from "@/components/experiments/list";
import { experimentPath } from "@/components/experiments/words";
import { PageTitle } from "@/components/shell/frame";
import { Card } from "@/components/ui/card";
import { useChanges } from "@/live/changes";

export default function ExperimentsPage() {
  const router = useRouter();
  const found = useExperiments();
  useChanges("experiments", found.mutate);
  const mayWrite = usePermitted("settings:write");
  return (
    <>
      <PageTitle
        title="Experiments"
        actions={mayWrite && <ExperimentForm onSaved={(saved) => router.push(experimentPath(saved.id))} />}
      >
        Jobs are answered in several ways, by chance, until it is known which is better.
      </PageTitle>
      <Card>
        <ExperimentList found={found} />
      </Card>
    </>
  );
}
