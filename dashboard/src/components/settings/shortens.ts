import type { components } from "@/api/schema";

export type RetentionView = components["schemas"]["RetentionView"];
export type RetentionDays = components["schemas"]["RetentionDays"];

/** Whether something may be deleted for it. What falls back to the service's own time may be, too. */
export const shortens = (view: RetentionView, wanted: RetentionDays): boolean =>
  (Object.keys(view.days) as (keyof RetentionDays)[]).some((name) => {
    const [before, after] = [view.days[name] ?? null, wanted[name] ?? null];
    return before !== after && (after === null || after < (view.effective[name] ?? Infinity));
  });
