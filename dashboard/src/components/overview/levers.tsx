"use client";

import { useResource } from "@/api/hooks";
import { Bars } from "@/components/charts/bars";
import { asked, SPANS, type Span } from "@/components/overview/spans";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { Link } from "@/components/ui/link";
import { Empty, Loaded } from "@/components/ui/states";
import { money } from "@/lib/format";
import { leverName } from "@/lib/levers";

const REFRESHED_MS = 30_000;

/** What the savings are owed to. */
export function Levers({ span }: { span: Span }) {
  const breakdown = useResource(
    ["metrics", "levers", span],
    (api) => api.GET("/v1/metrics/breakdown", { params: { query: { by: "lever", ...asked(span) } } }),
    { refreshInterval: REFRESHED_MS, keepPreviousData: true },
  );
  return (
    <Card
      title="Saved by"
      hint={SPANS[span].name}
      actions={
        <Button asChild size="small">
          <Link href="/savings/">All savings</Link>
        </Button>
      }
    >
      <Loaded found={breakdown}>
        {(found) =>
          found.rows.length === 0 ? (
            <Empty title="Nothing was answered in this time" />
          ) : (
            <Bars
              title="Savings by what they are owed to"
              summary={found.rows.map((row) => `${leverName(row.name)}: ${money(row.saved_cents)}`).join(", ")}
              rows={found.rows.map((row) => ({ name: leverName(row.name), value: Number(row.saved_cents) }))}
              format={money}
            />
          )
        }
      </Loaded>
    </Card>
  );
}
