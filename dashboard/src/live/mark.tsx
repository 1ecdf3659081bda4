"use client";

import { classes } from "@/lib/classes";
import type { LiveState } from "@/live/follow";
import { useLive } from "@/live/live";

const WORDS: Record<LiveState, string> = { live: "Live", connecting: "Connecting", off: "Not live" };

export function LiveMark() {
  const { state } = useLive();
  return (
    <span role="status" className="flex items-center gap-1.5 px-2 text-xs text-muted-foreground">
      <span className={classes("size-2 rounded-full", state === "live" ? "bg-success" : "bg-warning")} aria-hidden />
      {WORDS[state]}
    </span>
  );
}
