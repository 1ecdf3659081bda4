"use client";

import { useRef, useState } from "react";
import { useResource } from "@/api/hooks";
import { Entries, type Filters } from "@/components/cache/entries";
import { Namespaces } from "@/components/cache/namespaces";
import { CacheOverview } from "@/components/cache/overview";
import { Period, USUAL_DAYS } from "@/components/period";
import { PageTitle } from "@/components/shell/frame";
import { Button } from "@/components/ui/button";
import { Link } from "@/components/ui/link";
import { Loaded } from "@/components/ui/states";

export default function CachePage() {
  const [days, setDays] = useState(USUAL_DAYS);
  const [filters, setFilters] = useState<Filters>({});
  const entries = useRef<HTMLElement>(null);
  const stats = useResource(["cache", days], (api) => api.GET("/v1/cache/stats", { params: { query: { days } } }), {
    keepPreviousData: true,
  });
  const show = (namespace: string) => {
    setFilters({ namespace });
    entries.current?.focus();
  };
  return (
    <>
      <PageTitle
        title="Cache"
        actions={
          <>
            <Period days={days} onDays={setDays} />
            <Button asChild className="self-end">
              <Link href="/cache/explain/">Why served, or not?</Link>
            </Button>
          </>
        }
      >
        Answers that are served again instead of being paid for again, and how often that is wrong.
      </PageTitle>
      <Loaded found={stats}>
        {(found) => (
          <>
            <CacheOverview found={found} days={days} />
            <Namespaces stats={found} onShow={show} onChanged={stats.mutate} />
          </>
        )}
      </Loaded>
      <Entries place={entries} filters={filters} onFilters={setFilters} onChanged={stats.mutate} />
    </>
  );
}
