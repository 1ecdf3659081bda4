"use client";

import Link from "next/link";
import { useState } from "react";
import { useResource } from "@/api/hooks";
import { usePermitted } from "@/auth/permitted";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { SecretOnce } from "@/components/ui/secret";
import { Empty, Loaded } from "@/components/ui/states";
import { type Column, Table } from "@/components/ui/table";
import { AddEndpoint } from "@/components/webhooks/forms";
import { EndpointState, SECRET_HINT } from "@/components/webhooks/state";
import { detailPath, type Endpoint } from "@/components/webhooks/types";
import { onDay } from "@/lib/format";

const COLUMNS: readonly Column<Endpoint>[] = [
  {
    name: "Endpoint",
    cell: (one) => (
      <div className="min-w-40 max-w-md">
        <Link href={detailPath(one.id)} className="font-medium wrap-anywhere text-primary underline underline-offset-4 hover:no-underline">
          {one.url}
        </Link>
        {one.description && <span className="block wrap-anywhere text-muted-foreground">{one.description}</span>}
      </div>
    ),
  },
  { name: "State", cell: (one) => <EndpointState endpoint={one} /> },
  { name: "Events", cell: (one) => (one.events.length === 0 ? "all" : one.events.join(", ")), wide: true },
  { name: "Since", cell: (one) => <span className="whitespace-nowrap">{onDay(one.created_at)}</span>, wide: true },
];

export function Endpoints() {
  const found = useResource(["webhooks"], (api) => api.GET("/v1/webhooks"));
  const mayWrite = usePermitted("webhooks:write");
  const [adding, setAdding] = useState(false);
  const [secret, setSecret] = useState<string | null>(null);
  const add = mayWrite && (
    <Button look="primary" onClick={() => setAdding(true)}>
      Add an endpoint
    </Button>
  );
  return (
    <Card title="Endpoints" actions={add}>
      <Loaded found={found}>
        {({ data }) =>
          data.length === 0 ? (
            <Empty title="Nobody is told yet">Add an endpoint: a public https address of your service.</Empty>
          ) : (
            <Table label="Webhook endpoints" columns={COLUMNS} rows={data} rowKey={(one) => one.id} />
          )
        }
      </Loaded>
      {adding && (
        <AddEndpoint
          onClose={() => setAdding(false)}
          onDone={(shown) => {
            setAdding(false);
            setSecret(shown);
            found.mutate();
          }}
        />
      )}
      <SecretOnce title="The signing secret" secret={secret} onDone={() => setSecret(null)} hint={SECRET_HINT} />
    </Card>
  );
}
