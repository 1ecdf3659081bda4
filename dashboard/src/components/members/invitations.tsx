"use client";

import { useState } from "react";
import type { Api } from "@/api/client";
import { useAction } from "@/api/hooks";
import { usePaged } from "@/api/paged";
import type { components } from "@/api/schema";
import { InviteForm } from "@/components/members/invite";
import { acceptLink } from "@/components/members/link";
import { Badge, type Tone } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { Confirm } from "@/components/ui/dialog";
import { Paged } from "@/components/ui/paged";
import { SecretOnce } from "@/components/ui/secret";
import { Empty } from "@/components/ui/states";
import { type Column, Table } from "@/components/ui/table";
import { ago, when } from "@/lib/format";

type Invitation = components["schemas"]["InvitationView"];

const TONES: Record<Invitation["state"], Tone> = { pending: "warning", accepted: "good", expired: "neutral", revoked: "neutral" };

export function Invitations() {
  const found = usePaged<Invitation>(["invitations"], (api, after) => api.GET("/v1/invitations", { params: { query: { after } } }));
  const [inviting, setInviting] = useState(false);
  const [revoking, setRevoking] = useState<Invitation | null>(null);
  const [token, setToken] = useState<string | null>(null);
  const columns: Column<Invitation>[] = [
    { name: "Address", cell: (one) => <span className="block min-w-40 wrap-anywhere">{one.email}</span> },
    { name: "Role", cell: (one) => one.role },
    { name: "State", cell: (one) => <Badge tone={TONES[one.state]}>{one.state}</Badge> },
    { name: "Ends", wide: true, cell: (one) => one.state === "pending" && <span title={when(one.expires_at)}>{ago(one.expires_at)}</span> },
    {
      name: "Actions",
      cell: (one) =>
        one.state === "pending" && (
          <Button size="small" look="danger" aria-label={`Take back the invitation of ${one.email}`} onClick={() => setRevoking(one)}>
            Take back
          </Button>
        ),
    },
  ];
  const invite = (
    <Button look="primary" onClick={() => setInviting(true)}>
      Invite somebody
    </Button>
  );
  return (
    <Card title="Invitations" hint="Each is good for a week and for one address." actions={invite}>
      <Paged found={found} empty={<Empty title="Nobody is invited">Invite somebody, and send the link.</Empty>}>
        {(rows) => <Table label="Invitations" columns={columns} rows={rows} rowKey={(one) => one.id} />}
      </Paged>
      {inviting && (
        <InviteForm
          onClose={() => setInviting(false)}
          onDone={(made) => {
            setInviting(false);
            setToken(made);
            found.mutate();
          }}
        />
      )}
      {revoking && (
        <TakeBack
          invitation={revoking}
          onClose={() => setRevoking(null)}
          onDone={() => {
            setRevoking(null);
            found.mutate();
          }}
        />
      )}
      <SecretOnce
        title="The invitation's link"
        secret={token && acceptLink(token)}
        onDone={() => setToken(null)}
        hint="Send it to the address yourself: no mail is sent from here. It works once, for whoever signs in with that address."
      />
    </Card>
  );
}

const revoke = (api: Api, invitation_id: string) =>
  api.DELETE("/v1/invitations/{invitation_id}", { params: { path: { invitation_id } } });

function TakeBack({ invitation, onClose, onDone }: { invitation: Invitation; onClose: () => void; onDone: () => void }) {
  const { run, busy } = useAction(revoke);
  return (
    <Confirm
      open
      onOpenChange={onClose}
      title="Take the invitation back?"
      hint={`The link that was made for ${invitation.email} does not work any more.`}
      action="Take back"
      busy={busy}
      onConfirm={async () => {
        if (await run(invitation.id)) onDone();
      }}
    />
  );
}
