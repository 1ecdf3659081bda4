import { Stat, Stats as Row } from "@/components/ui/stat";
import type { Stats } from "@/components/cache/words";
import { bytes, compact, count, percent } from "@/lib/format";

/** How much is kept, and how often it was served again. */
export function CacheOverview({ found, days }: { found: Stats; days: number }) {
  const { hits } = found;
  return (
    <Row>
      <Stat
        name="Served from the cache"
        value={found.hit_rate === null ? "No answers yet" : percent(found.hit_rate)}
        hint={`${count(hits.exact + hits.semantic)} of ${count(found.answers)} answers in ${count(days)} days`}
      />
      <Stat
        name="Hits"
        value={count(hits.exact + hits.semantic)}
        hint={`${count(hits.exact)} of the same request, ${count(hits.semantic)} by meaning, and ${count(hits.shared)} more by a shared call`}
      />
      <Stat
        name="Kept answers"
        value={count(found.entries)}
        hint={`of at most ${compact(found.max_entries)}; ${bytes(found.bytes)} of ${bytes(found.max_bytes)}`}
      />
      <Stat name="Errors allowed" value={percent(found.target)} hint="of hits by meaning; the same request cannot be wrong so" />
    </Row>
  );
}
