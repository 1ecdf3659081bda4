"use client";

import { Permitted } from "@/auth/permitted";
import { Erasures } from "@/components/settings/erasures";
import { Exports } from "@/components/settings/exports";

export default function DataPage() {
  return (
    <Permitted permission="data:write" to="export or erase data">
      <Exports />
      <Erasures />
    </Permitted>
  );
}
