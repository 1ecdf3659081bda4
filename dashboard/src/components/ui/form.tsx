"use client";

import type { FormEvent, ReactNode } from "react";
import type { Problem } from "@/api/client";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";

/** What is wrong with what was filled in; it is read out when it appears. */
export const Wrong = ({ children }: { children: ReactNode }) => (
  <p role="alert" className="text-sm text-danger wrap-anywhere">
    {children}
  </p>
);

/** What the service said against what was filled in. */
export const Refused = ({ problem }: { problem: Problem | null }) => problem && <Wrong>{problem.message}</Wrong>;

interface Props {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  title: string;
  hint?: ReactNode;
  action: string; // on the button
  look?: "primary" | "danger"; // of the button
  busy: boolean;
  problem: Problem | null;
  onSubmit: (given: FormData) => void;
  children: ReactNode;
}

/** A form of its own window. The fields keep what was typed in when the service refuses it. */
export function FormDialog({ open, onOpenChange, title, hint, action, look = "primary", busy, problem, onSubmit, children }: Props) {
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    onSubmit(new FormData(event.currentTarget));
  };
  return (
    <Dialog sticky open={open} onOpenChange={onOpenChange} title={title} hint={hint}>
      <form onSubmit={submit} className="grid gap-4">
        {children}
        <Refused problem={problem} />
        <div className="flex flex-wrap justify-end gap-2">
          <Button onClick={() => onOpenChange(false)}>Cancel</Button>
          <Button type="submit" look={look} busy={busy}>
            {action}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

/** Checkboxes of one name, under a question. */
export function Choices({ legend, hint, children }: { legend: string; hint?: ReactNode; children: ReactNode }) {
  return (
    <fieldset className="grid min-w-0 gap-2">
      <legend className="mb-1 text-sm font-medium">{legend}</legend>
      {hint && <p className="text-sm text-muted-foreground">{hint}</p>}
      {children}
    </fieldset>
  );
}

export const text = (given: FormData, name: string): string => String(given.get(name) ?? "").trim();
export const texts = (given: FormData, name: string): string[] => given.getAll(name).map(String);

/** For how long an old secret goes on beside a new one, in seconds. */
export const OVERLAPS: readonly (readonly [seconds: string, name: string])[] = [
  ["0", "No longer: it ends now"],
  ["3600", "An hour"],
  ["86400", "A day"],
  ["604800", "A week"],
  ["2592000", "30 days"],
];

/** A choice or a number that may be left out: null. */
export const orNull = <T extends string>(given: FormData, name: string): T | null => (text(given, name) as T) || null;
export const numberOrNull = (given: FormData, name: string): number | null => {
  const found = text(given, name);
  return found === "" ? null : Number(found);
};
