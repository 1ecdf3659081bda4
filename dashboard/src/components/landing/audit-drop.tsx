"use client";

import { FileJson } from "lucide-react";
import { type DragEvent, useId, useState } from "react";
import { type Audit, LARGEST_FILE, NotAnAudit, readAudit } from "@/components/landing/audit";
import { classes } from "@/lib/classes";

/** The file is read by this page and goes nowhere. `onRead` gets null where it was not one. */
export function AuditDrop({ onRead }: { onRead: (audit: Audit | null) => void }) {
  const id = useId();
  const [over, setOver] = useState(false);
  const [refused, setRefused] = useState<string | null>(null);

  const take = async (file: File | undefined) => {
    if (!file) return;
    try {
      onRead(await read(file));
      setRefused(null);
    } catch (error) {
      if (!(error instanceof NotAnAudit)) throw error;
      onRead(null);
      setRefused(error.message);
    }
  };
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    take(event.dataTransfer.files[0]);
  };
  return (
    <div
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
      className={classes("grid gap-2 rounded-md border border-dashed p-4 text-sm", over && "border-primary bg-accent")}
    >
      <label htmlFor={id} className="flex items-center gap-2 font-medium">
        <FileJson className="size-4" aria-hidden />
        The audit’s result
      </label>
      <input
        id={id}
        type="file"
        accept=".json,application/json"
        aria-describedby={`${id}-told`}
        aria-invalid={refused ? true : undefined}
        className="min-w-0 file:mr-3 file:h-9 file:rounded-md file:border file:bg-card file:px-4 file:font-medium"
        onChange={(event) => take(event.target.files?.[0])}
      />
      <p
        id={`${id}-told`}
        role={refused ? "alert" : undefined}
        className={refused ? "text-danger" : "text-muted-foreground"}
      >
        {refused ?? "Choose the file or drop it here. It is read in this browser, and nothing of it is sent anywhere."}
      </p>
    </div>
  );
}

async function read(file: File): Promise<Audit> {
  if (file.size > LARGEST_FILE) {
    throw new NotAnAudit(
      `This file is too large to be an audit’s result: these have at most ${LARGEST_FILE / 1024 ** 2} MB.`,
    );
  }
  return readAudit(await file.text());
}
