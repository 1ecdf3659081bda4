"use client";

import { useState } from "react";
import type { Api } from "@/api/client";
import { useAction, useResource } from "@/api/hooks";
import { Permitted, usePermitted } from "@/auth/permitted";
import { SetQuota } from "@/components/budgets/form";
import { QuotaRow } from "@/components/budgets/row";
import { limitWords, type Quota } from "@/components/budgets/words";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { Confirm } from "@/components/ui/dialog";
import { Empty, Loaded } from "@/components/ui/states";

const REFRESHED_MS = 5000;
const PERIODS: readonly (readonly [Quota["period"], string])[] = [
  ["minute", "This minute"],
  ["day", "Today"],
  ["month", "This month"],
];

export function Quotas() {
  return (
    <Permitted permission="usage:read" to="see budgets">
      <QuotaCard />
    </Permitted>
  );
}

function QuotaCard() {
  const found = useResource(["quotas"], (api) => api.GET("/v1/quotas"), { refreshInterval: REFRESHED_MS });
  const keys = useResource(usePermitted("keys:write") ? ["api-keys", "all"] : null, (api) =>
    api.GET("/v1/api-keys", { params: { query: { limit: 100 } } }),
  );
  const mayWrite = usePermitted("settings:write");
  const [setting, setSetting] = useState<Partial<Quota> | null>(null); // what the form begins with
  const [removing, setRemoving] = useState<Quota | null>(null);
  const names = new Map(keys.data?.data.map((key) => [key.id, key.name]));
  const done = () => {
    setSetting(null);
    setRemoving(null);
    found.mutate();
  };
  const action = mayWrite && (
    <Button look="primary" onClick={() => setSetting({})}>
      Set a limit
    </Button>
  );
  return (
    <Card title="Limits" hint="All that apply to a request must have room. Windows are the calendar's, in UTC." actions={action}>
      <Loaded found={found}>
        {({ data }) =>
          data.length === 0 ? (
            <Empty title="Nothing is limited">
              {mayWrite ? "Set a limit for the tenant, for a key or for a tag." : "Ask an admin to set a limit."}
            </Empty>
          ) : (
            <div className="grid gap-6">
              {PERIODS.map(([period, title]) => (
                <Period
                  key={period}
                  title={title}
                  quotas={data.filter((quota) => quota.period === period)}
                  names={names}
                  onSet={mayWrite ? setSetting : undefined}
                  onRemove={mayWrite ? setRemoving : undefined}
                />
              ))}
            </div>
          )
        }
      </Loaded>
      {setting && <SetQuota from={setting} keys={keys.data?.data ?? []} onClose={() => setSetting(null)} onDone={done} />}
      {removing && <RemoveQuota quota={removing} onClose={() => setRemoving(null)} onDone={done} />}
    </Card>
  );
}

interface PeriodProps {
  title: string;
  quotas: readonly Quota[];
  names: ReadonlyMap<string, string>; // of keys, by id
  onSet?: (quota: Quota) => void;
  onRemove?: (quota: Quota) => void;
}

function Period({ title, quotas, names, onSet, onRemove }: PeriodProps) {
  if (quotas.length === 0) return null;
  return (
    <section>
      <h3 className="text-sm font-medium text-muted-foreground">{title}</h3>
      <ul className="mt-2 grid gap-4">
        {quotas.map((quota) => (
          <QuotaRow
            key={`${quota.scope} ${quota.unit} ${quota.source}`}
            quota={quota}
            names={names}
            onSet={onSet}
            onRemove={onRemove}
          />
        ))}
      </ul>
    </section>
  );
}

const remove = (api: Api, { scope, period, unit }: Quota) =>
  api.DELETE("/v1/quotas", { params: { query: { scope, period, unit } } });

function RemoveQuota({ quota, onClose, onDone }: { quota: Quota; onClose: () => void; onDone: () => void }) {
  const { run, busy } = useAction(remove);
  return (
    <Confirm
      open
      onOpenChange={onClose}
      title="Remove the limit?"
      hint={`${limitWords(quota)} limits nothing any more. Limits of the plan and of the operator stay.`}
      action="Remove"
      busy={busy}
      onConfirm={async () => {
        if (await run(quota)) onDone();
      }}
    />
  );
}
