"use client";

import { useRouter } from "next/navigation";
import { useState } from "react";
import { toast } from "sonner";
import type { Api } from "@/api/client";
import { useAction, useResource } from "@/api/hooks";
import { usePermitted } from "@/auth/permitted";
import { PageTitle } from "@/components/shell/frame";
import { Back } from "@/components/ui/back";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { Confirm } from "@/components/ui/dialog";
import { Facts } from "@/components/ui/facts";
import { SecretOnce } from "@/components/ui/secret";
import { Loaded } from "@/components/ui/states";
import { Deliveries } from "@/components/webhooks/deliveries";
import { ChangeEndpoint, change, RotateSecret } from "@/components/webhooks/forms";
import { EndpointState, SECRET_HINT } from "@/components/webhooks/state";
import type { Endpoint } from "@/components/webhooks/types";
import { when } from "@/lib/format";

const test = (api: Api, id: string) => api.POST("/v1/webhooks/{webhook_id}/test", { params: { path: { webhook_id: id } } });
const remove = (api: Api, id: string) => api.DELETE("/v1/webhooks/{webhook_id}", { params: { path: { webhook_id: id } } });

export function EndpointDetail({ id }: { id: string }) {
  const found = useResource(["webhook", id], (api) =>
    api.GET("/v1/webhooks/{webhook_id}", { params: { path: { webhook_id: id } } }),
  );
  const [sent, setSent] = useState(0); // tests so far: the log is looked at anew after each
  const mayWrite = usePermitted("webhooks:write");
  return (
    <>
      <Back href="/webhooks/">Webhooks</Back>
      <PageTitle title="Endpoint" />
      <Loaded found={found}>
        {(endpoint) => (
          <>
            <Card
              title={<span className="wrap-anywhere">{endpoint.url}</span>}
              hint={endpoint.description && <span className="wrap-anywhere">{endpoint.description}</span>}
            >
              <Facts
                facts={[
                  ["State", <EndpointState key="state" endpoint={endpoint} />],
                  ["Events", endpoint.events.length === 0 ? "all" : endpoint.events.join(", ")],
                  ["Since", when(endpoint.created_at)],
                ]}
              />
              {mayWrite && (
                <EndpointDeeds endpoint={endpoint} onChanged={() => found.mutate()} onTested={() => setSent((before) => before + 1)} />
              )}
            </Card>
            <Deliveries endpoint={endpoint} sent={sent} />
          </>
        )}
      </Loaded>
    </>
  );
}

interface Props {
  endpoint: Endpoint;
  onChanged: () => void;
  onTested: () => void;
}

function EndpointDeeds({ endpoint, onChanged, onTested }: Props) {
  const [open, setOpen] = useState<"change" | "rotate" | "remove" | null>(null);
  const [secret, setSecret] = useState<string | null>(null);
  const switching = useAction(change);
  const testing = useAction(test);
  const close = () => setOpen(null);
  const done = (shown?: string) => {
    close();
    if (shown) setSecret(shown);
    onChanged();
  };
  const turn = async () => {
    if (await switching.run(endpoint.id, { enabled: !endpoint.enabled })) onChanged();
  };
  const send = async () => {
    if (!(await testing.run(endpoint.id))) return;
    toast.success("A test event is on its way.");
    onTested();
  };
  return (
    <div className="mt-5 flex flex-wrap gap-2">
      <Button busy={testing.busy} disabled={!endpoint.enabled} onClick={send}>
        Send a test event
      </Button>
      <Button onClick={() => setOpen("change")}>Change</Button>
      <Button busy={switching.busy} onClick={turn}>
        {endpoint.enabled ? "Disable" : "Enable"}
      </Button>
      <Button onClick={() => setOpen("rotate")}>Rotate the secret</Button>
      <Button look="danger" onClick={() => setOpen("remove")}>
        Remove
      </Button>
      {open === "change" && <ChangeEndpoint endpoint={endpoint} onClose={close} onDone={done} />}
      {open === "rotate" && <RotateSecret endpoint={endpoint} onClose={close} onDone={done} />}
      {open === "remove" && <RemoveEndpoint endpoint={endpoint} onClose={close} />}
      <SecretOnce title="The new signing secret" secret={secret} onDone={() => setSecret(null)} hint={SECRET_HINT} />
    </div>
  );
}

function RemoveEndpoint({ endpoint, onClose }: { endpoint: Endpoint; onClose: () => void }) {
  const { run, busy } = useAction(remove);
  const router = useRouter();
  return (
    <Confirm
      open
      onOpenChange={onClose}
      title="Remove the endpoint?"
      hint={
        <>
          <span className="wrap-anywhere">{endpoint.url}</span> is sent nothing any more. Its log goes too, with what was still to be
          delivered.
        </>
      }
      action="Remove"
      busy={busy}
      onConfirm={async () => {
        if (!(await run(endpoint.id))) return;
        onClose();
        router.replace("/webhooks/");
      }}
    />
  );
}
