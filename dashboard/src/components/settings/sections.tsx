"use client";

import { usePathname } from "next/navigation";
import { useSession } from "@/auth/session";
import type { Permission } from "@/auth/permitted";
import { Link } from "@/components/ui/link";
import { classes } from "@/lib/classes";

const SECTIONS: readonly { href: string; name: string; needs?: Permission }[] = [
  { href: "/settings/", name: "Policy" },
  { href: "/settings/provider-keys/", name: "Provider keys", needs: "usage:read" },
  { href: "/settings/retention/", name: "Retention", needs: "data:write" },
  { href: "/settings/data/", name: "Exports and erasures", needs: "data:write" },
  { href: "/settings/audit/", name: "Audit log", needs: "audit:read" },
];

/** The parts of the settings that whoever looks may see. */
export function Sections() {
  const here = usePathname();
  const { tenant } = useSession();
  return (
    <nav aria-label="Settings" className="-mx-1 overflow-x-auto border-b px-1">
      <ul className="flex gap-1">
        {SECTIONS.filter(({ needs }) => !needs || tenant?.permissions.includes(needs)).map(({ href, name }) => (
          <li key={href}>
            <Link
              href={href}
              aria-current={here === href ? "page" : undefined}
              className={classes(
                "-mb-px block border-b-2 border-transparent px-3 py-2 text-sm whitespace-nowrap text-muted-foreground hover:text-foreground",
                here === href && "border-primary font-medium text-foreground",
              )}
            >
              {name}
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}
