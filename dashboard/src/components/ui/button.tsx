import { cva, type VariantProps } from "class-variance-authority";
import { LoaderCircle } from "lucide-react";
import { Slot } from "radix-ui";
import type { ComponentProps, MouseEvent } from "react";
import { classes } from "@/lib/classes";

export const buttonStyle = cva(
  "inline-flex items-center justify-center gap-2 rounded-md text-sm font-medium whitespace-nowrap transition-colors disabled:opacity-55 aria-disabled:opacity-55 [&_svg]:size-4 [&_svg]:shrink-0",
  {
    variants: {
      look: {
        primary: "bg-primary text-primary-foreground hover:bg-primary/90",
        plain: "border bg-card hover:bg-muted",
        quiet: "hover:bg-muted",
        danger: "border border-danger text-danger hover:bg-danger/10",
        link: "text-primary underline underline-offset-4 hover:no-underline",
      },
      size: { normal: "h-9 px-4", small: "h-8 px-3 text-xs", icon: "size-9" },
    },
    defaultVariants: { look: "plain", size: "normal" },
  },
);

interface Props extends ComponentProps<"button">, VariantProps<typeof buttonStyle> {
  asChild?: boolean;
  busy?: boolean; // nothing more can be done with it, and it keeps the focus, which a disabled one would lose
}

const nothing = (event: MouseEvent) => event.preventDefault(); // also of the form that Enter would send by it

export function Button({ className, look, size, asChild, busy = false, onClick, children, ...rest }: Props) {
  const style = classes(buttonStyle({ look, size }), className);
  if (asChild) {
    return (
      <Slot.Root className={style} onClick={onClick} {...rest}>
        {children}
      </Slot.Root>
    );
  }
  return (
    <button
      type="button"
      className={style}
      aria-busy={busy || undefined}
      aria-disabled={busy || undefined}
      onClick={busy ? nothing : onClick}
      {...rest}
    >
      {busy && <LoaderCircle className="animate-spin" aria-hidden />}
      {children}
    </button>
  );
}
