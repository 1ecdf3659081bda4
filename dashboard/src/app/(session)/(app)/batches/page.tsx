"use client";

import { RefreshCw } from "lucide-react";
import { usePermitted } from "@/auth/permitted";
import { BatchList, useBatches } from "@/components/batches/list";
import { NewBatch } from "@/components/batches/upload";
import { PageTitle } from "@/components/shell/frame";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { useChanges } from "@/live/changes";

export default function BatchesPage() {
  const found = useBatches();
  useChanges("batches", found.mutate);
  const mayWrite = usePermitted("prompts:write");
  return (
    <>
      <PageTitle
        title="Batches"
        actions={
          <>
            <Button onClick={found.mutate}>
              <RefreshCw aria-hidden />
              Refresh
            </Button>
            {mayWrite && <NewBatch />}
          </>
        }
      >
        Files of requests that can wait, each line a job.
      </PageTitle>
      <Card>
        <BatchList found={found} />
      </Card>
    </>
  );
}
