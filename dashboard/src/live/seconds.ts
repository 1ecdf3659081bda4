/** What a tick tells, and how ticks add up. Nothing here does any I/O. */

export interface Second {
  at: string; // ISO, the second's beginning
  requests: number;
  answered: number;
  failed: number;
  hits: { exact: number; semantic: number; shared: number };
  cost_cents: string;
  baseline_cost_cents: string;
  input_tokens: number;
  output_tokens: number;
  latency_ms_p50: number | null;
  latency_ms_p95: number | null;
}

export interface Tick {
  seq: number;
  at: string;
  seconds: Second[];
}

export interface Recent {
  seq: number | null; // of the last tick; null before the first
  seconds: ReadonlyMap<string, Second>; // by the time in one spelling
  missing: number | null; // the latest tick that was not received, until the history holds it
}

export const KEPT_SECONDS = 300;
export const NOTHING: Recent = { seq: null, seconds: new Map(), missing: null };

/** Each second comes whole, so a tick that is applied twice changes nothing. An older tick than the last is passed over. */
export function apply(recent: Recent, tick: Tick): Recent {
  if (recent.seq !== null && tick.seq <= recent.seq) return recent;
  const gap = recent.seq !== null && tick.seq > recent.seq + 1;
  return { seq: tick.seq, seconds: merged(recent.seconds, tick.seconds), missing: gap ? tick.seq - 1 : recent.missing };
}

/** What was fetched: it replaces nothing that is newer, and fills no gap that came after it. */
export function refill(recent: Recent, seq: number, seconds: readonly Second[]): Recent {
  const missing = recent.missing !== null && recent.missing > seq ? recent.missing : null;
  if (recent.seq !== null && recent.seq > seq) {
    return { seq: recent.seq, seconds: merged(merged(new Map(), seconds), [...recent.seconds.values()]), missing };
  }
  return { seq, seconds: merged(recent.seconds, seconds), missing };
}

function merged(known: ReadonlyMap<string, Second>, news: readonly Second[]): Map<string, Second> {
  const all = new Map(known);
  for (const second of news) all.set(new Date(second.at).toISOString(), second);
  const newest = Math.max(...[...all.keys()].map((at) => Date.parse(at)), 0);
  for (const at of all.keys()) if (Date.parse(at) <= newest - KEPT_SECONDS * 1000) all.delete(at);
  return all;
}

/** The end of what is shown: now, or the newest second where this clock is behind the service's. */
const endOf = (seconds: readonly Second[], now: number): number => Math.max(now, ...seconds.map(({ at }) => Date.parse(at)));

/** The seconds of the last minutes, counted from now: a tenant that asks nothing has none after a while. */
export function recently(recent: Recent, now: number): Second[] {
  const all = [...recent.seconds.values()];
  const begin = endOf(all, now) - KEPT_SECONDS * 1000;
  return all.filter(({ at }) => Date.parse(at) > begin);
}

const STEP_MS = 5000;

interface Step {
  at: string;
  values: { called: number; hits: number; failed: number };
}

/** The same as points of five seconds each, of which the last is now's. */
export function inSteps(seconds: readonly Second[], now: number): Step[] {
  const last = Math.floor(endOf(seconds, now) / STEP_MS);
  const length = (KEPT_SECONDS * 1000) / STEP_MS;
  const begin = last - length + 1;
  const steps: Step[] = Array.from({ length }, (_, index) => ({
    at: new Date((begin + index) * STEP_MS).toISOString(),
    values: { called: 0, hits: 0, failed: 0 },
  }));
  for (const second of seconds) {
    const values = steps[Math.floor(Date.parse(second.at) / STEP_MS) - begin]?.values;
    if (!values) continue;
    const hits = second.hits.exact + second.hits.semantic + second.hits.shared;
    values.hits += hits;
    values.failed += second.failed;
    values.called += second.answered - hits;
  }
  return steps;
}
