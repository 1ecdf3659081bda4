"use client";

import { Permitted } from "@/auth/permitted";
import { ProviderKeys } from "@/components/settings/provider-keys";

export default function ProviderKeysPage() {
  return (
    <Permitted permission="usage:read" to="see provider keys">
      <ProviderKeys />
    </Permitted>
  );
}
