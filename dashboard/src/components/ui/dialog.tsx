"use client";

import { X } from "lucide-react";
import { Dialog as Primitive } from "radix-ui";
import { type ReactNode, useRef } from "react";
import { Button } from "@/components/ui/button";

interface Props {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  title: string;
  hint?: ReactNode;
  children?: ReactNode;
  footer?: ReactNode;
  sticky?: boolean; // a click beside it does not close it, so that nothing is lost by one
}

export function Dialog({ open, onOpenChange, title, hint, children, footer, sticky = false }: Props) {
  const way = useFocus();
  return (
    <Primitive.Root open={open} onOpenChange={onOpenChange}>
      <Primitive.Portal>
        <Primitive.Overlay className="fixed inset-0 z-40 bg-black/50" />
        <Primitive.Content
          aria-describedby={hint ? undefined : ""}
          {...way}
          onInteractOutside={sticky ? (event) => event.preventDefault() : undefined}
          className="fixed inset-x-4 top-1/2 z-50 mx-auto grid max-h-[90dvh] max-w-lg -translate-y-1/2 gap-4 overflow-y-auto rounded-lg border bg-card p-5 shadow-xl outline-none"
        >
          <div className="flex items-start justify-between gap-4">
            <div>
              <Primitive.Title className="text-lg font-semibold">{title}</Primitive.Title>
              {hint && <Primitive.Description className="mt-1 text-sm text-muted-foreground">{hint}</Primitive.Description>}
            </div>
            <Primitive.Close asChild>
              <Button look="quiet" size="icon" aria-label="Close">
                <X aria-hidden />
              </Button>
            </Primitive.Close>
          </div>
          {children}
          {footer && <div className="flex flex-wrap justify-end gap-2">{footer}</div>}
        </Primitive.Content>
      </Primitive.Portal>
    </Primitive.Root>
  );
}

let opener: HTMLElement | null = null; // of the window that was opened last

/** Leads a keyboard into the window's first field, or to the window itself, where Enter does nothing yet; and back to what
 * opened it, past a window that followed another to what opened the first, or to the page where that is gone.
 */
function useFocus() {
  const mine = useRef<HTMLElement | null>(null);
  return {
    onOpenAutoFocus: (event: Event) => {
      const content = event.currentTarget as HTMLElement;
      const focused = document.activeElement;
      mine.current = focused instanceof HTMLElement && focused !== document.body ? focused : opener;
      opener = mine.current;
      event.preventDefault();
      (content.querySelector<HTMLElement>("form :is(input, select, textarea)") ?? content).focus();
    },
    onCloseAutoFocus: (event: Event) => {
      event.preventDefault();
      const back = mine.current?.isConnected ? mine.current : document.querySelector("main");
      back?.focus();
    },
  };
}

/** Asks before something that cannot be taken back. */
export function Confirm({
  open,
  onOpenChange,
  title,
  hint,
  action,
  keep = "Keep it",
  look = "danger",
  busy,
  onConfirm,
}: Omit<Props, "children" | "footer"> & {
  action: string;
  keep?: string; // on the button that changes nothing
  look?: "danger" | "primary";
  busy: boolean;
  onConfirm: () => void;
}) {
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title={title}
      hint={hint}
      footer={
        <>
          <Button onClick={() => onOpenChange(false)}>{keep}</Button>
          <Button look={look} busy={busy} onClick={onConfirm}>
            {action}
          </Button>
        </>
      }
    />
  );
}
