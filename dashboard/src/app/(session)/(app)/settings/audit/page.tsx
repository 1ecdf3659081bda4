"use client";

import { Permitted } from "@/auth/permitted";
import { AuditLog } from "@/components/settings/audit";

export default function AuditLogPage() {
  return (
    <Permitted permission="audit:read" to="see the audit log">
      <AuditLog />
    </Permitted>
  );
}
