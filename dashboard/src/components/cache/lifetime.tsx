"use client";

import { useState } from "react";
import { toast } from "sonner";
import type { Api } from "@/api/client";
import { useAction } from "@/api/hooks";
import { type Namespace, title } from "@/components/cache/words";
import { Button } from "@/components/ui/button";
import { Choice, TextField } from "@/components/ui/field";
import { FormDialog, text } from "@/components/ui/form";
import { duration } from "@/lib/format";

const UNITS = [
  ["60", "minutes"],
  ["3600", "hours"],
  ["86400", "days"],
] as const;

const change = (api: Api, namespace: string, seconds: number | null) =>
  api.PATCH("/v1/cache/namespaces/{namespace}", { params: { path: { namespace } }, body: { ttl_seconds: seconds } });

/** How long a namespace's answers are kept. */
export function Lifetime({ one, onChanged }: { one: Namespace; onChanged: () => void }) {
  const [open, setOpen] = useState(false);
  const { run, busy, problem, forget } = useAction(change, { quiet: true });
  const show = (shown: boolean) => {
    forget();
    setOpen(shown);
  };
  const submit = async (given: FormData) => {
    const amount = text(given, "amount");
    const seconds = amount === "" ? null : Math.round(Number(amount) * Number(text(given, "unit")));
    if (!(await run(one.namespace, seconds))) return;
    toast.success(seconds === null ? "Its answers are kept as the tenant's others." : `Its answers are kept for ${duration(seconds)}.`);
    setOpen(false);
    onChanged();
  };
  const [unit, amount] = shown(one.ttl_seconds);
  return (
    <>
      <Button size="small" aria-label={`Change lifetime of the answers of ${title(one)}`} onClick={() => show(true)}>
        Change lifetime
      </Button>
      <FormDialog
        open={open}
        onOpenChange={show}
        title="How long its answers are kept"
        hint="What is older already is deleted at once; a longer time brings nothing back."
        action="Set lifetime"
        busy={busy}
        problem={problem}
        onSubmit={submit}
      >
        <div className="grid gap-4 sm:grid-cols-2">
          <TextField label="Time" name="amount" type="number" min="0" step="any" defaultValue={amount} hint="Empty: as the tenant's others" />
          <Choice label="Unit" name="unit" options={UNITS} defaultValue={unit} />
        </div>
      </FormDialog>
    </>
  );
}

/** In the largest unit that leaves no part. */
function shown(seconds: number | null): [unit: string, amount: string] {
  if (seconds === null) return ["86400", ""];
  const unit = UNITS.map(([each]) => each).findLast((each) => seconds % Number(each) === 0) ?? "60";
  return [unit, String(seconds / Number(unit))];
}
