import { Check } from "lucide-react";
import type { ReactNode } from "react";
import { Card } from "@/components/ui/card";

/** One line of the list, with its number until it is done. */
export function Step({
  number,
  title,
  done,
  children,
}: {
  number: number;
  title: string;
  done: boolean;
  children: ReactNode;
}) {
  return (
    <li className="min-w-0">
      <Card
        title={
          <span className="flex items-center gap-2.5">
            <span
              className={
                done
                  ? "grid size-6 place-items-center rounded-full bg-success/15 text-success"
                  : "grid size-6 place-items-center rounded-full border text-xs"
              }
            >
              {done ? <Check className="size-4" aria-hidden /> : number}
            </span>
            {title}
            {done && <span className="sr-only">(done)</span>}
          </span>
        }
      >
        <div className="grid gap-4 text-sm">{children}</div>
      </Card>
    </li>
  );
}
