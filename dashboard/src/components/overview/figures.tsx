"use client";

import { useResource } from "@/api/hooks";
import { asked, type Span } from "@/components/overview/spans";
import { USUAL_DAYS } from "@/components/period";
import { Stat, Stats } from "@/components/ui/stat";
import { Loaded } from "@/components/ui/states";
import { count, milliseconds, money, percent, UNKNOWN } from "@/lib/format";

const REFRESHED_MS = 15_000;

export function Figures({ span }: { span: Span }) {
  const overview = useResource(
    ["metrics", "overview", span],
    (api) => api.GET("/v1/metrics/overview", { params: { query: asked(span) } }),
    { refreshInterval: REFRESHED_MS, keepPreviousData: true },
  );
  return (
    <Loaded found={overview}>
      {(found) => {
        const baseline = Number(found.baseline_cost_cents);
        const hits = found.hits.exact + found.hits.semantic + found.hits.shared;
        return (
          <Stats>
            <Stat
              name="Saved against the price list"
              value={money(found.saved_cents)}
              hint={baseline > 0 ? `${percent(Number(found.saved_cents) / baseline)} of ${money(found.baseline_cost_cents)}` : "Nothing to compare yet"}
            />
            <Stat name="Spent" value={money(found.cost_cents)} hint={unpriced(found.unpriced_attempts)} />
            <Stat name="Requests" value={count(found.requests)} hint={`${count(found.failed)} failed`} />
            <Stat
              name="Answered without a call"
              value={found.answered ? percent(hits / found.answered) : UNKNOWN}
              hint={`${percent(found.hit_rates.exact)} the same, ${percent(found.hit_rates.semantic)} alike, ${percent(found.hit_rates.shared)} shared`}
            />
            <Stat name="Half are answered within" value={milliseconds(found.latency_ms_p50)} hint="p50, whole answers" />
            <Stat name="95 of 100 within" value={milliseconds(found.latency_ms_p95)} hint="p95, whole answers" />
            <HoldoutStat />
            <QualityStat />
          </Stats>
        );
      }}
    </Loaded>
  );
}

function unpriced(attempts: number): string {
  return attempts === 0 ? "All prices known" : `${count(attempts)} calls without a known price are left out`;
}

const SLOW_MS = 60_000; // both are of a month: they move slowly

/** What chance says: jobs that were kept from us against those that were not. */
function HoldoutStat() {
  const { data, error } = useResource(
    ["savings", USUAL_DAYS],
    (api) => api.GET("/v1/savings", { params: { query: { days: USUAL_DAYS } } }),
    { refreshInterval: SLOW_MS },
  );
  if (!data) return <Stat name="Saved, measured" value={UNKNOWN} hint={error?.message ?? "Against a random holdout"} />;
  const { saved_share: saved, status, confidence } = data.holdout;
  const words = {
    off: "The holdout is off",
    too_few: "Too few held-out jobs yet",
    measured: saved
      ? `${percent(confidence)} interval ${percent(saved.low)} to ${percent(saved.high)}, last ${USUAL_DAYS} days, against a random holdout`
      : "No baseline cost yet",
  }[status];
  return <Stat name="Saved, measured" value={percent(saved?.value)} hint={words} />;
}

/** The worst that is known of what the cache serves. */
function QualityStat() {
  const { data, error } = useResource(["cache", "stats"], (api) => api.GET("/v1/cache/stats"), { refreshInterval: SLOW_MS });
  if (!data) return <Stat name="Wrong cache hits, at most" value={UNKNOWN} hint={error?.message} />;
  const bounds = data.namespaces.flatMap((one) => (one.bound === null ? [] : [one.bound]));
  const allowed = `${percent(data.target)} allowed`;
  return (
    <Stat
      name="Wrong cache hits, at most"
      value={bounds.length ? percent(Math.max(...bounds)) : UNKNOWN}
      hint={bounds.length ? `Bound of ${count(bounds.length)} kinds of questions; ${allowed}` : `Too few audits yet; ${allowed}`}
    />
  );
}
