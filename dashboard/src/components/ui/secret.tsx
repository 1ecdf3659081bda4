"use client";

import type { ReactNode } from "react";
import { Button } from "@/components/ui/button";
import { Code, Copy } from "@/components/ui/copy";
import { Dialog } from "@/components/ui/dialog";

interface Props {
  title: string;
  secret: string | null; // null: nothing is shown
  hint?: ReactNode; // what it is for
  onDone: () => void;
}

/** Shows a secret that nobody can be shown again. It is kept nowhere: whoever calls forgets it with `onDone`. */
export function SecretOnce({ title, secret, hint, onDone }: Props) {
  return (
    <Dialog
      sticky
      open={secret !== null}
      onOpenChange={(open) => !open && onDone()}
      title={title}
      hint="It is shown this once. Copy it now: nobody can look at it later, neither you nor we."
      footer={
        <>
          {secret !== null && <Copy text={secret} />}
          <Button look="primary" onClick={onDone}>
            I have kept it
          </Button>
        </>
      }
    >
      {secret !== null && <Code>{secret}</Code>}
      {hint && <div className="text-sm text-muted-foreground">{hint}</div>}
    </Dialog>
  );
}
