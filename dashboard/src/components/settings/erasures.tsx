"use client";

import { useState } from "react";
import { usePaged } from "@/api/paged";
import { EraseForm } from "@/components/settings/erase";
import { type Erasure, Receipt, scopeWords } from "@/components/settings/receipt";
import { isOpen, REFRESHED_MS, RequestState } from "@/components/settings/requests";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { Paged } from "@/components/ui/paged";
import { Empty } from "@/components/ui/states";
import { type Column, Table } from "@/components/ui/table";
import { when } from "@/lib/format";

export function Erasures() {
  const found = usePaged<Erasure>(["erasures"], (api, after) => api.GET("/v1/erasures", { params: { query: { after, limit: 10 } } }), {
    refreshInterval: (pages) => (pages?.some(({ data }) => data.some(isOpen)) ? REFRESHED_MS : 0),
  });
  const [asking, setAsking] = useState(false);
  const [shown, setShown] = useState<string | null>(null); // id of the one whose receipt is open
  const columns: Column<Erasure>[] = [
    { name: "Asked for", cell: (one) => <span className="whitespace-nowrap">{when(one.created_at)}</span> },
    { name: "What", cell: (one) => <span className="wrap-anywhere">{scopeWords(one.scope)}</span> },
    { name: "State", cell: (one) => <RequestState {...one} /> },
    {
      name: "Receipt",
      cell: (one) => (
        <Button size="small" aria-label={`Receipt of the erasure of ${when(one.created_at)}`} onClick={() => setShown(one.id)}>
          {isOpen(one) ? "So far" : "Receipt"}
        </Button>
      ),
    },
  ];
  const erase = (
    <Button look="danger" onClick={() => setAsking(true)}>
      Erase
    </Button>
  );
  return (
    <Card title="Erasures" hint="Jobs, and all that was made of them, for good. Amounts and the audit log are kept." actions={erase}>
      <Paged found={found} empty={<Empty title="Nothing was erased yet" />}>
        {(rows) => (
          <>
            <Table label="Erasures" columns={columns} rows={rows} rowKey={(one) => one.id} />
            <Receipt erasure={rows.find(({ id }) => id === shown) ?? null} onClose={() => setShown(null)} />
          </>
        )}
      </Paged>
      {asking && (
        <EraseForm
          onClose={() => setAsking(false)}
          onDone={() => {
            setAsking(false);
            found.mutate();
          }}
        />
      )}
    </Card>
  );
}
