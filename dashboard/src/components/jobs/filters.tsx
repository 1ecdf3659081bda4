"use client";

import { useRouter, useSearchParams } from "next/navigation";
import { type FormEvent, useCallback, useEffect, useState } from "react";
import { CLASSES, type JobClass, type JobStatus, STATUSES } from "@/components/jobs/words";
import { Button } from "@/components/ui/button";
import { Choice, TextField } from "@/components/ui/field";

export interface Filter {
  status: JobStatus | undefined;
  class: JobClass | undefined;
  tag: string | undefined;
}

const oneOf = <K extends string>(known: Record<K, unknown>, value: string | null): K | undefined =>
  value !== null && Object.hasOwn(known, value) ? (value as K) : undefined;

/** Kept in the address, so that a view can be linked to and the way back leads to it. */
export function useFilter(): [Filter, (change: Partial<Filter>) => void] {
  const given = useSearchParams();
  const router = useRouter();
  const filter: Filter = {
    status: oneOf(STATUSES, given.get("status")),
    class: oneOf(CLASSES, given.get("class")),
    tag: given.get("tag") || undefined,
  };
  const change = useCallback(
    (changed: Partial<Filter>) => {
      const wanted = new URLSearchParams(given);
      for (const [name, value] of Object.entries(changed)) {
        if (value) wanted.set(name, value);
        else wanted.delete(name);
      }
      router.replace(`/jobs/?${wanted}`, { scroll: false });
    },
    [given, router],
  );
  return [filter, change];
}

const STATUS_OPTIONS = [["", "All"], ...Object.entries(STATUSES).map(([value, { name }]) => [value, name] as const)] as const;
const CLASS_OPTIONS = [["", "All"], ...Object.entries(CLASSES)] as const;

export function Filters({ filter, onChange }: { filter: Filter; onChange: (change: Partial<Filter>) => void }) {
  return (
    <div className="grid items-end gap-3 sm:grid-cols-3">
      <Choice
        label="Status"
        options={STATUS_OPTIONS}
        value={filter.status ?? ""}
        onChange={(event) => onChange({ status: (event.target.value || undefined) as JobStatus | undefined })}
      />
      <Choice
        label="Class"
        options={CLASS_OPTIONS}
        value={filter.class ?? ""}
        onChange={(event) => onChange({ class: (event.target.value || undefined) as JobClass | undefined })}
      />
      <TagSearch tag={filter.tag ?? ""} onFind={(tag) => onChange({ tag })} />
    </div>
  );
}

/** What is typed in follows the address, which the way back changes too. */
function TagSearch({ tag, onFind }: { tag: string; onFind: (tag: string) => void }) {
  const [typed, setTyped] = useState(tag);
  useEffect(() => setTyped(tag), [tag]);
  const find = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    onFind(typed.trim());
  };
  return (
    <form role="search" onSubmit={find} className="flex items-end gap-2">
      <div className="grow">
        <TextField label="Tag" name="tag" maxLength={64} value={typed} onChange={(event) => setTyped(event.target.value)} />
      </div>
      <Button type="submit">Find</Button>
    </form>
  );
}
