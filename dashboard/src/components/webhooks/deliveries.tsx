"use client";

import Link from "next/link";
import { useEffect, useRef, useState } from "react";
import { usePaged } from "@/api/paged";
import { Badge } from "@/components/ui/badge";
import { Card } from "@/components/ui/card";
import { Choice } from "@/components/ui/field";
import { Paged } from "@/components/ui/paged";
import { Empty } from "@/components/ui/states";
import { type Column, Table } from "@/components/ui/table";
import { type Delivery, deliveryPath, type Endpoint, TONES } from "@/components/webhooks/types";
import { ago, milliseconds, when } from "@/lib/format";

const REFRESHED_MS = 4000; // while something is on its way
const STATES: readonly (readonly [string, string])[] = [
  ["", "All"],
  ["pending", "Pending"],
  ["delivered", "Delivered"],
  ["failed", "Failed"],
];

/** `sent` counts what was sent from this page. */
export function Deliveries({ endpoint, sent }: { endpoint: Endpoint; sent: number }) {
  const [status, setStatus] = useState("");
  const found = usePaged<Delivery>(
    ["deliveries", endpoint.id, status],
    (api, after) =>
      api.GET("/v1/webhooks/{webhook_id}/deliveries", {
        params: { path: { webhook_id: endpoint.id }, query: { after, status: (status || undefined) as Delivery["status"] | undefined } },
      }),
    { refreshInterval: (pages) => (pages?.some((page) => page.data.some(isPending)) ? REFRESHED_MS : 0) },
  );
  const look = useRef(found.mutate);
  look.current = found.mutate;
  useEffect(() => {
    if (sent > 0) look.current();
  }, [sent]);
  const columns: Column<Delivery>[] = [
    { name: "Event", cell: (one) => <EventLink webhook={endpoint.id} delivery={one} /> },
    { name: "State", cell: (one) => <Badge tone={TONES[one.status]}>{one.status}</Badge> },
    { name: "Last attempt", cell: lastAttempt },
    { name: "Attempts", number: true, cell: (one) => one.attempts },
    { name: "Next attempt", wide: true, cell: (one) => (one.status === "pending" ? ago(one.next_attempt_at) : "") },
    { name: "Made", wide: true, cell: (one) => <span title={when(one.created_at)}>{ago(one.created_at)}</span> },
  ];
  return (
    <Card
      title="Deliveries"
      hint="Newest first, with each attempt."
      actions={<Choice label="Show" value={status} options={STATES} onChange={(event) => setStatus(event.target.value)} />}
    >
      <Paged found={found} empty={<NoDeliveries filtered={status !== ""} />}>
        {(rows) => <Table label="Deliveries" columns={columns} rows={rows} rowKey={(one) => one.id} />}
      </Paged>
    </Card>
  );
}

const isPending = (delivery: Delivery): boolean => delivery.status === "pending";

function lastAttempt({ http_status, error, duration_ms }: Delivery) {
  const told = error ?? (http_status ? `HTTP ${http_status}` : null);
  if (!told) return <span className="text-muted-foreground">none yet</span>;
  return (
    <span className="block min-w-32 wrap-anywhere">
      {told}
      {duration_ms != null && <span className="text-muted-foreground"> in {milliseconds(duration_ms)}</span>}
    </span>
  );
}

function EventLink({ webhook, delivery }: { webhook: string; delivery: Delivery }) {
  return (
    <Link href={deliveryPath(webhook, delivery.id)} className="text-primary underline underline-offset-4 hover:no-underline">
      {delivery.event}
    </Link>
  );
}

function NoDeliveries({ filtered }: { filtered: boolean }) {
  if (filtered) return <Empty title="No delivery is in this state" />;
  return <Empty title="Nothing was sent yet">Send a test event to see that it arrives.</Empty>;
}
