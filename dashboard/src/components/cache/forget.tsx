"use client";

import { useState } from "react";
import { toast } from "sonner";
import type { Api } from "@/api/client";
import { useAction } from "@/api/hooks";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/dialog";
import { count } from "@/lib/format";

export interface Chosen {
  query: { tag?: string; model?: string; namespace?: string; all?: true };
  words: string; // after "all answers"
}

const forget = (api: Api, query: Chosen["query"]) => api.DELETE("/v1/cache/entries", { params: { query } });

/** Deletes all answers that one thing chooses. */
export function Forget({ which, onForgotten }: { which: Chosen; onForgotten: () => void }) {
  const [open, setOpen] = useState(false);
  const { run, busy } = useAction(forget);
  const confirm = async () => {
    const done = await run(which.query);
    if (!done) return;
    setOpen(false);
    toast.success(`${count(done.data.entries)} answers were deleted.`);
    onForgotten();
  };
  return (
    <>
      <Button look="danger" size="small" onClick={() => setOpen(true)}>
        Delete all answers {which.words}
      </Button>
      <Confirm
        open={open}
        onOpenChange={setOpen}
        title="Delete these answers?"
        hint={`All kept answers ${which.words} go, also those that are not on this page. None of them is served any more; what is asked again is paid for again.`}
        action="Delete them"
        busy={busy}
        onConfirm={confirm}
      />
    </>
  );
}
