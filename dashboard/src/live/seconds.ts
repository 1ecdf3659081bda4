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
  missed: boolean; // a tick between two was not received
}

export const KEPT_SECONDS = 300;
export const NOTHING: Recent = { seq: null, seconds: new Map(), missed: false };

/** Each second comes whole, so a tick that is applied twice changes nothing. An older tick than the last is passed over. */
export function apply(recent: Recent, tick: Tick): Recent {
  if (recent.seq !== null && tick.seq <= recent.seq) return recent;
  const missed = recent.missed || (recent.seq !== null && tick.seq > recent.seq + 1);
  return { seq: tick.seq, seconds: merged(recent.seconds, tick.seconds), missed };
}

/** What was fetched after a gap: it replaces nothing that is newer. */
export function refill(recent: Recent, seq: number, seconds: readonly Second[]): Recent {
  if (recent.seq !== null && recent.seq > seq) {
    return { ...recent, seconds: merged(merged(new Map(), seconds), [...recent.seconds.values()]), missed: false };
  }
  return { seq, seconds: merged(recent.seconds, seconds), missed: false };
}

function merged(known: ReadonlyMap<string, Second>, news: readonly Second[]): Map<string, Second> {
  const all = new Map(known);
  for (const second of news) all.set(new Date(second.at).toISOString(), second);
  const newest = Math.max(...[...all.keys()].map((at) => Date.parse(at)), 0);
  for (const at of all.keys()) if (Date.parse(at) <= newest - KEPT_SECONDS * 1000) all.delete(at);
  return all;
}
