"use client";

import { Permitted } from "@/auth/permitted";
import { Retention } from "@/components/settings/retention";

export default function RetentionPage() {
  return (
    <Permitted permission="data:write" to="see how long data is kept">
      <Retention />
    </Permitted>
  );
}
