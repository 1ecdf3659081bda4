"use client";

import { useState } from "react";
import { toast } from "sonner";
import type { Api } from "@/api/client";
import { useAction } from "@/api/hooks";
import { usePaged } from "@/api/paged";
import type { components } from "@/api/schema";
import { useSession } from "@/auth/session";
import { ROLES, type Role, useGrantable } from "@/components/members/roles";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { Confirm } from "@/components/ui/dialog";
import { inputStyle } from "@/components/ui/field";
import { Paged } from "@/components/ui/paged";
import { Empty } from "@/components/ui/states";
import { type Column, Table } from "@/components/ui/table";
import { classes } from "@/lib/classes";
import { onDay } from "@/lib/format";

type Member = components["schemas"]["MemberView"];

const remove = (api: Api, user_id: string) => api.DELETE("/v1/members/{user_id}", { params: { path: { user_id } } });

export function Members() {
  const found = usePaged<Member>(["members"], (api, after) => api.GET("/v1/members", { params: { query: { after, limit: 50 } } }));
  const [removing, setRemoving] = useState<Member | null>(null);
  const me = useSession().session?.user.id;
  const grantable = useGrantable();
  const columns: Column<Member>[] = [
    { name: "Member", cell: (one) => <Who member={one} me={one.user_id === me} /> },
    { name: "Role", cell: (one) => (one.user_id === me ? one.role : <RoleChoice member={one} onChanged={found.mutate} />) },
    { name: "Since", wide: true, cell: (one) => <span className="whitespace-nowrap">{onDay(one.since)}</span> },
    {
      name: "Actions",
      cell: (one) =>
        one.user_id !== me &&
        grantable(one.role) && (
          <Button size="small" look="danger" aria-label={`Remove ${nameOf(one)}`} onClick={() => setRemoving(one)}>
            Remove
          </Button>
        ),
    },
  ];
  return (
    <Card title="Members" hint="Oldest first.">
      <Paged found={found} empty={<Empty title="Nobody belongs to it">Invite somebody.</Empty>}>
        {(rows) => <Table label="Members" columns={columns} rows={rows} rowKey={(one) => one.user_id} />}
      </Paged>
      {removing && (
        <RemoveMember
          member={removing}
          onClose={() => setRemoving(null)}
          onDone={() => {
            setRemoving(null);
            found.mutate();
          }}
        />
      )}
    </Card>
  );
}

const nameOf = (member: Member): string => member.email ?? member.user_id;

function Who({ member, me }: { member: Member; me: boolean }) {
  return (
    <span className="flex min-w-40 flex-wrap items-center gap-2 wrap-anywhere">
      {nameOf(member)}
      {me && <Badge>you</Badge>}
    </span>
  );
}

const change = (api: Api, user_id: string, role: Role) =>
  api.PATCH("/v1/members/{user_id}", { params: { path: { user_id } }, body: { role } });

/** Nobody is offered a choice of his own role: who takes less could not take it back. It is asked first: in some browsers the
 * arrow keys choose at once what they pass.
 */
function RoleChoice({ member, onChanged }: { member: Member; onChanged: () => void }) {
  const { run, busy } = useAction(change);
  const [wanted, setWanted] = useState<Role | null>(null);
  const grantable = useGrantable();
  if (!grantable(member.role)) return <>{member.role}</>;
  const confirmed = async () => {
    if (!wanted || !(await run(member.user_id, wanted))) return;
    setWanted(null);
    toast.success(`${nameOf(member)} is ${wanted} now.`);
    onChanged();
  };
  return (
    <>
      <select
        aria-label={`Role of ${nameOf(member)}`}
        className={classes(inputStyle, "w-28")}
        value={member.role}
        onChange={(event) => setWanted(event.target.value as Role)}
      >
        {ROLES.filter(([role]) => grantable(role)).map(([role]) => (
          <option key={role} value={role}>
            {role}
          </option>
        ))}
      </select>
      <Confirm
        open={wanted !== null}
        onOpenChange={() => setWanted(null)}
        title={`Make the member ${wanted ?? ""}?`}
        hint={`${nameOf(member)} is ${member.role}. As ${wanted ?? ""}: ${wordsOf(wanted)}.`}
        action="Change the role"
        keep={`Leave it at ${member.role}`}
        look="primary"
        busy={busy}
        onConfirm={confirmed}
      />
    </>
  );
}

const wordsOf = (role: Role | null): string => ROLES.find(([one]) => one === role)?.[1] ?? "";

function RemoveMember({ member, onClose, onDone }: { member: Member; onClose: () => void; onDone: () => void }) {
  const { run, busy } = useAction(remove);
  return (
    <Confirm
      open
      onOpenChange={onClose}
      title="Remove the member?"
      hint={`${nameOf(member)} has no access from now on, and open invitations of that member end. Keys that the member made stay: look for them among the API keys.`}
      action="Remove"
      busy={busy}
      onConfirm={async () => {
        if (await run(member.user_id)) onDone();
      }}
    />
  );
}
