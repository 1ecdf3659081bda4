import { expect, test } from "vitest";
import { apply, inSteps, KEPT_SECONDS, NOTHING, recently, refill, type Second, type Tick } from "@/live/seconds";

const START = Date.parse("2026-11-26T09:00:00Z");
const time = (second: number): string => new Date(START + second * 1000).toISOString();

function second(at: number, requests: number, more: Partial<Second> = {}): Second {
  return {
    at: time(at),
    requests,
    answered: requests,
    failed: 0,
    hits: { exact: 0, semantic: 0, shared: 0 },
    cost_cents: "1",
    baseline_cost_cents: "2",
    input_tokens: 0,
    output_tokens: 0,
    latency_ms_p50: null,
    latency_ms_p95: null,
    ...more,
  };
}

const tick = (seq: number, ...seconds: Second[]): Tick => ({ seq, at: time(seq), seconds });
const requests = ({ seconds }: { seconds: ReadonlyMap<string, Second> }) => [...seconds.values()].map((one) => one.requests);

test("a second comes whole: the later tick's holds, and one that is told twice counts once", () => {
  const first = apply(NOTHING, tick(1, second(0, 3)));
  const then = apply(first, tick(2, second(0, 5), second(1, 1)));
  expect(requests(then)).toEqual([5, 1]);
  expect(apply(then, tick(2, second(0, 5), second(1, 1)))).toBe(then);
  expect(apply(then, tick(1, second(0, 3)))).toBe(then);
});

test("times that are spelt in two ways are one second", () => {
  const spelt = { ...second(0, 4), at: "2026-11-26T10:00:00+01:00" };
  expect(requests(apply(apply(NOTHING, tick(1, second(0, 3))), tick(2, spelt)))).toEqual([4]);
});

test("the first tick begins, and one that follows it leaves no gap", () => {
  expect(apply(apply(NOTHING, tick(7)), tick(8)).missing).toBeNull();
});

test("a number that is left out is missed until the history holds it", () => {
  const gap = apply(apply(NOTHING, tick(7, second(0, 1))), tick(10, second(3, 1)));
  expect(gap.missing).toBe(9);
  const filled = refill(gap, 10, [second(0, 1), second(1, 1), second(2, 1), second(3, 1)]);
  expect(filled.missing).toBeNull();
  expect(requests(filled)).toEqual([1, 1, 1, 1]);
});

test("a history that was asked for before another gap does not close that one", () => {
  const first = apply(apply(NOTHING, tick(1)), tick(3));
  const second_gap = apply(first, tick(6));
  expect(second_gap.missing).toBe(5);
  expect(refill(second_gap, 3, []).missing).toBe(5);
  expect(refill(second_gap, 6, []).missing).toBeNull();
});

test("a history that is older than the last tick replaces nothing of it", () => {
  const known = apply(NOTHING, tick(5, second(4, 9)));
  const filled = refill(known, 4, [second(3, 2), second(4, 1)]);
  expect(filled.seq).toBe(5);
  expect(filled.seconds.get(time(4))?.requests).toBe(9);
  expect(filled.seconds.get(time(3))?.requests).toBe(2);
});

test("a history that is newer holds, and older ticks say nothing more", () => {
  const filled = refill(apply(NOTHING, tick(5, second(4, 1))), 8, [second(4, 9)]);
  expect(requests(filled)).toEqual([9]);
  expect(apply(filled, tick(8, second(4, 1)))).toBe(filled);
});

test("a tenant with five minutes of seconds keeps no more of them", () => {
  const all = Array.from({ length: KEPT_SECONDS + 10 }, (_, at) => second(at, 1));
  expect(apply(NOTHING, tick(1, ...all)).seconds.size).toBe(KEPT_SECONDS);
});

test("what was recent five minutes ago is so no longer, though nothing has come since", () => {
  const known = apply(NOTHING, tick(1, second(0, 3), second(10, 2)));
  const later = START + (KEPT_SECONDS + 5) * 1000;
  expect(recently(known, START + 11_000).map((one) => one.requests)).toEqual([3, 2]);
  expect(recently(known, later).map((one) => one.requests)).toEqual([2]);
  expect(recently(known, later + 60_000)).toEqual([]);
});

test("a clock that is behind the service's loses nothing", () => {
  expect(recently(apply(NOTHING, tick(1, second(60, 3))), START)).toHaveLength(1);
});

test("points of five seconds end now and are there also for seconds of nothing", () => {
  const found = inSteps(
    [
      second(0, 4, { hits: { exact: 1, semantic: 1, shared: 0 }, answered: 3, failed: 1 }),
      second(4, 1),
      second(5, 2, { answered: 0, failed: 2 }),
    ],
    START + 12_000,
  );
  expect(found).toHaveLength(60);
  expect(found.at(-1)).toEqual({ at: time(10), values: { called: 0, hits: 0, failed: 0 } });
  expect(found.at(-2)?.values).toEqual({ called: 0, hits: 0, failed: 2 });
  expect(found.at(-3)).toEqual({ at: time(0), values: { called: 2, hits: 2, failed: 1 } });
});
