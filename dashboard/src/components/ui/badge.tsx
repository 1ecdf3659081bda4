import type { ReactNode } from "react";
import { classes } from "@/lib/classes";

export type Tone = "neutral" | "good" | "bad" | "warning" | "accent";

const TONES: Record<Tone, string> = {
  neutral: "border-border bg-muted text-foreground",
  good: "border-success/40 bg-success/10 text-success",
  bad: "border-danger/40 bg-danger/10 text-danger",
  warning: "border-warning/40 bg-warning/10 text-warning",
  accent: "border-primary/40 bg-accent text-foreground",
};

export function Badge({ tone = "neutral", children }: { tone?: Tone; children: ReactNode }) {
  return (
    <span className={classes("inline-flex items-center rounded-full border px-2 py-0.5 text-xs font-medium", TONES[tone])}>
      {children}
    </span>
  );
}
