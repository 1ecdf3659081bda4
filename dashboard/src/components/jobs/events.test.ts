import { expect, test } from "vitest";
import { eventsOf, since } from "@/components/jobs/events";
import { type Attempt, type Job, savedCents, whereabouts } from "@/components/jobs/words";

const JOB = { created_at: "2026-11-26T09:00:00.500Z", status: "completed", history: [], finished_at: null, error: null } as unknown as Job;
const attempt = (at: string, more: Partial<Attempt> = {}): Attempt =>
  ({
    kind: "call",
    provider: "openai",
    model: "small",
    outcome: "ok",
    at,
    latency_ms: 1200,
    cost_cents: "0.5",
    input_tokens: 1000,
    output_tokens: 2,
    similarity: null,
    batch: false,
    key_source: "operator",
    http_status: null,
    error: null,
    ...more,
  }) as Attempt;

test("what happened is told in its order, whatever order it came in", () => {
  const job = {
    ...JOB,
    finished_at: "2026-11-26T09:00:09Z",
    history: [{ at: "2026-11-26T09:00:03Z", reason: "rate_limited", message: "Later.", run_after: null }],
  } as unknown as Job;
  const told = eventsOf(job, [attempt("2026-11-26T09:00:08Z"), attempt("2026-11-26T09:00:02Z", { outcome: "retryable" })]);
  expect(told.map(({ title }) => title)).toEqual(["Submitted", "Call · openai small", "Put back into the queue", "Call · openai small", "Ended"]);
  expect(told[1]?.mark?.tone).toBe("warning");
});

test("of two at one time the attempt comes before the end that it made", () => {
  const job = { ...JOB, finished_at: "2026-11-26T09:00:02Z" } as Job;
  expect(eventsOf(job, [attempt("2026-11-26T09:00:02Z")]).map(({ key }) => key)).toEqual(["submitted", "attempt 0", "ended"]);
});

test("an attempt is told with its figures, and an unknown cost is no 0", () => {
  const [, told] = eventsOf(JOB, [attempt("2026-11-26T09:00:02Z", { cost_cents: null, http_status: 429, error: "<b>slow down</b>" })]);
  expect(told?.told).toEqual(["1.20 s", "cost unknown", "1,000 tokens in, 2 out", "HTTP 429", "<b>slow down</b>"]);
});

test("a clock that is behind makes no time before the beginning", () => {
  const [first] = eventsOf(JOB, [attempt("2026-11-26T09:00:00Z")]);
  expect(first && since(JOB, first)).toBe(0);
});

test("a saving is unknown where either price is", () => {
  const routing = { cost_cents: "1", baseline_cost_cents: "3" } as NonNullable<Job["routing"]>;
  expect(savedCents(routing)).toBe(2);
  expect(savedCents({ ...routing, cost_cents: null })).toBeNull();
  expect(savedCents({ ...routing, baseline_cost_cents: null })).toBeNull();
  expect(savedCents({ ...routing, cost_cents: "0" })).toBe(3);
  expect(savedCents(null)).toBeNull();
});

test("where an open job is", () => {
  expect(whereabouts({ ...JOB, status: "queued", stage: "route", admitted: true } as Job)).toBe("Next: asking a model");
  expect(whereabouts({ ...JOB, status: "in_progress", stage: "route", admitted: true } as Job)).toBe("Now: asking a model");
  expect(whereabouts({ ...JOB, status: "queued", stage: "route", admitted: false } as Job)).toContain("Waiting for its turn");
  expect(whereabouts({ ...JOB, status: "in_progress", stage: null } as Job)).toBe("");
});
