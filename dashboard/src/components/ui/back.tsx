import { ChevronLeft } from "lucide-react";
import Link from "next/link";

/** To the list that a view of one thing is from. */
export function Back({ href, children }: { href: string; children: string }) {
  return (
    <Link href={href} className="flex items-center gap-1 justify-self-start text-sm text-muted-foreground hover:text-foreground">
      <ChevronLeft className="size-4" aria-hidden />
      {children}
    </Link>
  );
}
