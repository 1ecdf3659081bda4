"use client";

import { usePathname } from "next/navigation";
import { useSession } from "@/auth/session";
import { GROUPS } from "@/components/shell/places";
import { Link } from "@/components/ui/link";
import { classes } from "@/lib/classes";

/** `onGo` is called when a place is chosen. */
export function Navigation({ onGo }: { onGo?: () => void }) {
  const here = usePathname();
  const operator = useSession().session?.user.app_metadata.aico_operator === true;
  return (
    <nav aria-label="Pages" className="grid gap-5 p-3">
      {GROUPS.map((group) => (
        <div key={group.name}>
          <p className="px-2 pb-1 text-xs font-medium text-muted-foreground">{group.name}</p>
          <ul>
            {group.places.filter((place) => operator || !place.operators).map(({ href, name, icon: Icon }) => {
              const current = here === href || here.startsWith(href);
              return (
                <li key={href}>
                  <Link
                    href={href}
                    onClick={onGo}
                    aria-current={current ? "page" : undefined}
                    className={classes(
                      "flex items-center gap-2.5 rounded-md px-2 py-1.5 text-sm hover:bg-muted",
                      current && "bg-accent font-medium",
                    )}
                  >
                    <Icon className="size-4 text-muted-foreground" aria-hidden />
                    {name}
                  </Link>
                </li>
              );
            })}
          </ul>
        </div>
      ))}
    </nav>
  );
}
