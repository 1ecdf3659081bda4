import type { ComponentProps, ReactNode } from "react";
import { classes } from "@/lib/classes";

interface Props extends Omit<ComponentProps<"section">, "title"> {
  title?: ReactNode;
  hint?: ReactNode;
  actions?: ReactNode;
}

/** A titled part of a page. */
export function Card({ title, hint, actions, className, children, ...rest }: Props) {
  return (
    <section className={classes("min-w-0 rounded-lg border bg-card p-4 sm:p-5", className)} {...rest}>
      {(title || actions) && (
        <header className="mb-4 flex flex-wrap items-start justify-between gap-2">
          <div className="min-w-0 flex-1 basis-56">
            {title && <h2 className="text-base font-semibold">{title}</h2>}
            {hint && <p className="mt-0.5 text-sm text-muted-foreground">{hint}</p>}
          </div>
          {actions && <div className="flex flex-wrap gap-2">{actions}</div>}
        </header>
      )}
      {children}
    </section>
  );
}
