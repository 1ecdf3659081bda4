"use client";

import { EntryDetail } from "@/components/cache/entry";
import { Given } from "@/components/ui/given";

export default function CacheEntryPage() {
  return <Given names={["id"]}>{(id) => <EntryDetail id={id} />}</Given>;
}
