"use client";

import { type ComponentProps, type ReactNode, useId } from "react";
import { classes } from "@/lib/classes";

export const inputStyle =
  "h-9 w-full min-w-0 rounded-md border bg-background px-3 text-sm placeholder:text-muted-foreground disabled:opacity-55 aria-invalid:border-danger";

interface Words {
  label: ReactNode;
  hint?: ReactNode;
  error?: string | null;
}

interface Wiring {
  id: string;
  "aria-describedby": string | undefined;
  "aria-invalid": true | undefined;
}

/** A label, its control, and what is said below it. */
export function Field({ label, hint, error, children }: Words & { children: (wiring: Wiring) => ReactNode }) {
  const id = useId();
  const told = error ?? hint;
  return (
    <div className="grid content-start gap-1.5">
      <label htmlFor={id} className="text-sm font-medium">
        {label}
      </label>
      {children({ id, "aria-describedby": told ? `${id}-told` : undefined, "aria-invalid": error ? true : undefined })}
      {told && (
        <p
          id={`${id}-told`}
          role={error ? "alert" : undefined}
          className={classes("text-sm", error ? "text-danger" : "text-muted-foreground")}
        >
          {told}
        </p>
      )}
    </div>
  );
}

export function TextField({ label, hint, error, className, ...rest }: Words & Omit<ComponentProps<"input">, "id">) {
  return (
    <Field label={label} hint={hint} error={error}>
      {(wiring) => <input className={classes(inputStyle, className)} {...wiring} {...rest} />}
    </Field>
  );
}

export function TextArea({ label, hint, error, className, ...rest }: Words & Omit<ComponentProps<"textarea">, "id">) {
  return (
    <Field label={label} hint={hint} error={error}>
      {(wiring) => <textarea className={classes(inputStyle, "h-auto min-h-24 py-2", className)} {...wiring} {...rest} />}
    </Field>
  );
}

/** The browser's own: it is best on phones and with a keyboard. */
export function Choice({
  label,
  hint,
  error,
  options,
  className,
  ...rest
}: Words & Omit<ComponentProps<"select">, "id"> & { options: readonly (readonly [value: string, name: string])[] }) {
  return (
    <Field label={label} hint={hint} error={error}>
      {(wiring) => (
        <select className={classes(inputStyle, className)} {...wiring} {...rest}>
          {options.map(([value, name]) => (
            <option key={value} value={value}>
              {name}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

export function Check({ label, hint, ...rest }: Words & Omit<ComponentProps<"input">, "id" | "type">) {
  const id = useId();
  return (
    <div className="flex gap-2">
      <input id={id} type="checkbox" className="mt-0.5 size-4 accent-(--primary)" aria-describedby={hint ? `${id}-told` : undefined} {...rest} />
      <div>
        <label htmlFor={id} className="text-sm font-medium">
          {label}
        </label>
        {hint && (
          <p id={`${id}-told`} className="text-sm text-muted-foreground">
            {hint}
          </p>
        )}
      </div>
    </div>
  );
}
