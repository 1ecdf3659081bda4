"use client";

import { useState } from "react";
import type { Api } from "@/api/client";
import { useAction } from "@/api/hooks";
import { useSession } from "@/auth/session";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { Confirm } from "@/components/ui/dialog";

const leave = (api: Api, user_id: string) => api.DELETE("/v1/members/{user_id}", { params: { path: { user_id } } });

export function Leave() {
  const { session, tenant, reload } = useSession();
  const { run, busy } = useAction(leave);
  const [asking, setAsking] = useState(false);
  const user = session?.user.id;
  if (!user || !tenant) return null;
  return (
    <Card
      title="Your membership"
      hint={`You are ${tenant.role} of ${tenant.name}.`}
      actions={
        <Button look="danger" onClick={() => setAsking(true)}>
          Leave
        </Button>
      }
    >
      <Confirm
        open={asking}
        onOpenChange={setAsking}
        title={`Leave ${tenant.name}?`}
        hint="Your access ends at once. To come back you need an invitation. The last owner cannot leave."
        action="Leave"
        busy={busy}
        onConfirm={async () => {
          const left = await run(user);
          setAsking(false);
          if (left) await reload();
        }}
      />
    </Card>
  );
}
