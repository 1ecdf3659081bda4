"use client";

import { RefreshCw } from "lucide-react";
import { Suspense } from "react";
import { usePermitted } from "@/auth/permitted";
import { Filters, useFilter } from "@/components/jobs/filters";
import { JobList, useJobs } from "@/components/jobs/list";
import { TryPrompt } from "@/components/jobs/try";
import { PageTitle } from "@/components/shell/frame";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { Loading } from "@/components/ui/states";

function Jobs() {
  const [filter, change] = useFilter();
  const found = useJobs(filter);
  const mayWrite = usePermitted("prompts:write");
  return (
    <>
      <PageTitle
        title="Jobs"
        actions={
          <>
            <Button onClick={found.mutate}>
              <RefreshCw aria-hidden />
              Refresh
            </Button>
            {mayWrite && <TryPrompt onSubmitted={found.mutate} />}
          </>
        }
      >
        Every prompt is a job: stored, answered at the least cost that is good enough, and booked.
      </PageTitle>
      <Card>
        <div className="grid gap-5">
          <Filters filter={filter} onChange={change} />
          <JobList found={found} filtered={Object.values(filter).some(Boolean)} />
        </div>
      </Card>
    </>
  );
}

export default function JobsPage() {
  return (
    <Suspense fallback={<Loading />}>
      <Jobs />
    </Suspense>
  );
}
