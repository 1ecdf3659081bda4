"use client";

import Link from "next/link";
import { toast } from "sonner";
import type { Api } from "@/api/client";
import { useAction, useResource } from "@/api/hooks";
import type { components } from "@/api/schema";
import { usePermitted } from "@/auth/permitted";
import { jobPath } from "@/components/jobs/words";
import { PageTitle } from "@/components/shell/frame";
import { Back } from "@/components/ui/back";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { Code, Copy } from "@/components/ui/copy";
import { Facts } from "@/components/ui/facts";
import { Empty, Loaded } from "@/components/ui/states";
import { type Column, Table } from "@/components/ui/table";
import { type Attempt, detailPath, TONES } from "@/components/webhooks/types";
import { milliseconds, when } from "@/lib/format";

type Detail = components["schemas"]["DeliveryDetail"];

const REFRESHED_MS = 3000; // while it is on its way

const redeliver = (api: Api, webhook_id: string, delivery_id: string) =>
  api.POST("/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver", { params: { path: { webhook_id, delivery_id } } });

const COLUMNS: readonly Column<Attempt>[] = [
  { name: "Attempt", cell: (one) => one.number },
  { name: "At", cell: (one) => <span className="whitespace-nowrap">{when(one.at)}</span> },
  { name: "Answer", cell: (one) => (one.http_status ? `HTTP ${one.http_status}` : "none") },
  { name: "Error", cell: (one) => <span className="wrap-anywhere">{one.error ?? ""}</span> },
  { name: "Took", number: true, cell: (one) => milliseconds(one.duration_ms) },
];

export function DeliveryDetail({ webhook, id }: { webhook: string; id: string }) {
  const found = useResource(
    ["delivery", webhook, id],
    (api) =>
      api.GET("/v1/webhooks/{webhook_id}/deliveries/{delivery_id}", {
        params: { path: { webhook_id: webhook, delivery_id: id } },
      }),
    { refreshInterval: (latest) => (latest?.status === "pending" ? REFRESHED_MS : 0) },
  );
  return (
    <>
      <Back href={detailPath(webhook)}>Endpoint</Back>
      <PageTitle title="Delivery" />
      <Loaded found={found}>
        {(delivery) => (
          <>
            <Summary webhook={webhook} delivery={delivery} onChanged={() => found.mutate()} />
            <Card title="Attempts" hint="Oldest first. Of an answer nothing is kept but its status.">
              {delivery.log.length === 0 ? (
                <Empty title="None yet" />
              ) : (
                <Table label="Attempts" columns={COLUMNS} rows={delivery.log} rowKey={(one) => one.number} />
              )}
            </Card>
            <Card title="What is sent" actions={<Copy text={shown(delivery)} />}>
              <Code>{shown(delivery)}</Code>
            </Card>
          </>
        )}
      </Loaded>
    </>
  );
}

function JobLink({ id }: { id: string }) {
  return (
    <Link href={jobPath(id)} className="text-primary underline underline-offset-4 hover:no-underline">
      <code>{id}</code>
    </Link>
  );
}

const shown = (delivery: Detail): string => JSON.stringify(delivery.payload, null, 2);

function Summary({ webhook, delivery, onChanged }: { webhook: string; delivery: Detail; onChanged: () => void }) {
  const { run, busy } = useAction(redeliver);
  const mayWrite = usePermitted("webhooks:write");
  const again = async () => {
    if (!(await run(webhook, delivery.id))) return;
    toast.success("It is sent again.");
    onChanged();
  };
  const action = mayWrite && delivery.status !== "pending" && (
    <Button busy={busy} onClick={again}>
      Redeliver
    </Button>
  );
  return (
    <Card title={delivery.event} actions={action}>
      <Facts
        facts={[
          [
            "State",
            <Badge key="state" tone={TONES[delivery.status]}>
              {delivery.status}
            </Badge>,
          ],
          ["webhook-id", <code key="id">{delivery.id}</code>],
          ["Made", when(delivery.created_at)],
          ["Next attempt", delivery.status === "pending" ? when(delivery.next_attempt_at) : undefined],
          ["Job", delivery.job_id ? <JobLink key="job" id={delivery.job_id} /> : undefined],
        ]}
      />
    </Card>
  );
}
