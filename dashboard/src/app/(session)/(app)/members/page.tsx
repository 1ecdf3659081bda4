"use client";

import { Permitted } from "@/auth/permitted";
import { Invitations } from "@/components/members/invitations";
import { Leave } from "@/components/members/leave";
import { Members } from "@/components/members/members";
import { PageTitle } from "@/components/shell/frame";

export default function MembersPage() {
  return (
    <>
      <PageTitle title="Members">Who belongs to this tenant, and what each may do.</PageTitle>
      <Permitted permission="members:write" to="see the other members">
        <Members />
        <Invitations />
      </Permitted>
      <Leave />
    </>
  );
}
