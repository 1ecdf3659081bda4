"use client";

import Link from "next/link";
import { useSession } from "@/auth/session";
import { Card } from "@/components/ui/card";

const STEPS: readonly (readonly [href: string, name: string, what: string])[] = [
  ["/overview/", "Overview", "what is asked, spent and saved, as it happens"],
  ["/savings/", "Savings", "what the price list says was saved, and what chance bears out"],
  ["/cache/", "Cache", "which answers are served again, and how often one may be wrong"],
  ["/budgets/", "Budgets", "what may be spent in a minute, a day or a month"],
  ["/webhooks/", "Webhooks", "hear of ended jobs without asking"],
  ["/members/", "Members", "invite those you work with"],
  ["/settings/", "Settings", "baseline model, cache, and provider keys of your own"],
];

export function NextSteps() {
  const { config } = useSession();
  return (
    <Card title="And then">
      <ul className="grid gap-2 text-sm sm:grid-cols-2">
        {STEPS.map(([href, name, what]) => (
          <li key={href}>
            <Link href={href} className="font-medium text-primary underline underline-offset-4 hover:no-underline">
              {name}
            </Link>
            : {what}
          </li>
        ))}
        <li>
          <a
            href={`${config?.apiUrl ?? ""}/docs`}
            className="font-medium text-primary underline underline-offset-4 hover:no-underline"
          >
            API reference
          </a>
          : every route, to try out
        </li>
      </ul>
    </Card>
  );
}
