"use client";

import { Menu as MenuIcon, X } from "lucide-react";
import { Dialog } from "radix-ui";
import { useState } from "react";
import { Navigation } from "@/components/shell/navigation";
import { Button } from "@/components/ui/button";

/** The pages, on a narrow screen. */
export function Menu() {
  const [open, setOpen] = useState(false);
  return (
    <Dialog.Root open={open} onOpenChange={setOpen}>
      <Dialog.Trigger asChild>
        <Button look="quiet" size="icon" aria-label="Pages" className="lg:hidden">
          <MenuIcon aria-hidden />
        </Button>
      </Dialog.Trigger>
      <Dialog.Portal>
        <Dialog.Overlay className="fixed inset-0 z-40 bg-black/50" />
        <Dialog.Content aria-describedby="" className="fixed inset-y-0 left-0 z-50 w-72 overflow-y-auto border-r bg-card">
          <Dialog.Title className="sr-only">Pages</Dialog.Title>
          <Dialog.Close asChild>
            <Button look="quiet" size="icon" aria-label="Close" className="absolute top-1 right-1">
              <X aria-hidden />
            </Button>
          </Dialog.Close>
          <Navigation onGo={() => setOpen(false)} />
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
