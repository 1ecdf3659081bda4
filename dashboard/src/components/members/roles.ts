import { type Membership, useSession } from "@/auth/session";

export type Role = Membership["role"];

export const ROLES: readonly (readonly [Role, string])[] = [
  ["owner", "everything, with billing and the data itself"],
  ["admin", "keys, members, settings and the audit log too"],
  ["member", "submits prompts, reads answers, adds webhooks"],
  ["viewer", "reads jobs, answers and costs"],
];

const ABOVE: Record<Role, readonly Role[]> = { owner: [], admin: ["owner"], member: ["owner", "admin"], viewer: ["owner", "admin", "member"] };

/** The roles that whoever is signed in may give and take: none that may do more. The service decides; this offers no more. */
export function useGrantable(): (role: Role) => boolean {
  const mine = useSession().tenant?.role;
  return (role) => mine !== undefined && !ABOVE[mine].includes(role);
}
