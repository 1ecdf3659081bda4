import { CircleAlert, Inbox, LoaderCircle } from "lucide-react";
import type { ReactNode } from "react";
import { Button } from "@/components/ui/button";

/** Nothing to show, and what to do about it. */
export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="grid justify-items-center gap-2 px-4 py-10 text-center">
      <Inbox className="size-6 text-muted-foreground" aria-hidden />
      <p className="font-medium">{title}</p>
      {children && <div className="max-w-prose text-sm text-muted-foreground">{children}</div>}
    </div>
  );
}

export function Trouble({ error, retry }: { error: Error; retry?: () => void }) {
  return (
    <div role="alert" className="grid justify-items-center gap-3 px-4 py-10 text-center">
      <CircleAlert className="size-6 text-danger" aria-hidden />
      <p className="max-w-prose text-sm">{error.message}</p>
      {retry && <Button onClick={retry}>Try again</Button>}
    </div>
  );
}

export function Loading({ what = "Loading" }: { what?: string }) {
  return (
    <div role="status" className="flex items-center justify-center gap-2 py-10 text-sm text-muted-foreground">
      <LoaderCircle className="size-4 animate-spin" aria-hidden />
      {what}…
    </div>
  );
}

interface Found<T> {
  data: T | undefined;
  error: Error | undefined;
  mutate: () => unknown;
}

/** Beside what was loaded before: that it is no longer fresh, and why. */
function Stale({ error, retry }: { error: Error; retry: () => void }) {
  return (
    <p role="status" className="flex flex-wrap items-center gap-x-2 text-sm text-warning">
      What is shown may be out of date. {error.message}
      <Button look="link" size="small" className="px-0" onClick={retry}>
        Try again
      </Button>
    </p>
  );
}

/** One of the three, and the content where there is any. What was shown stays while it is fetched anew. */
export function Loaded<T>({ found, children }: { found: Found<T>; children: (data: T) => ReactNode }) {
  if (found.data !== undefined) {
    return (
      <>
        {found.error && <Stale error={found.error} retry={() => found.mutate()} />}
        {children(found.data)}
      </>
    );
  }
  if (found.error) return <Trouble error={found.error} retry={() => found.mutate()} />;
  return <Loading />;
}
