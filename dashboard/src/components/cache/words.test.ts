import { expect, test } from "vitest";
import { cut, evidence, type Namespace, probability, stateOf, title } from "@/components/cache/words";

const NAMESPACE = { namespace: "0123456789abcdef", label: null, judged: 0, above: 0, wrong: 0, bound: null, target: null, evidence_since: null, cut: null };
const one = (more: Partial<Namespace>): Namespace => ({ ...NAMESPACE, ...more }) as Namespace;

test("an error is told only as far as it was checked", () => {
  expect(evidence(one({}), 0.01)).toBe("Nothing was checked here yet, so the error is not known; 1% is allowed.");
  const few = one({ judged: 20, above: 5 });
  expect(evidence(few, 0.01)).toContain("too few to say");
  const enough = one({ judged: 2000, above: 900, wrong: 3, bound: 0.0082, target: 0.02 });
  expect(evidence(enough, 0.01)).toBe(
    "Of 2,000 that were checked, 900 were alike enough to be served, and 3 of these were wrong. So at most 0.8% of hits are wrong; 2% is allowed.",
  );
});

test("a bound of 0 is a bound", () => expect(evidence(one({ judged: 1, bound: 0 }), 0.01)).toContain("at most 0% of hits"));

test("log-odds are shown as a probability", () => {
  expect(probability(0)).toBe(0.5);
  expect(cut(one({ cut: Math.log(9) }))).toBe("90%");
  expect(cut(one({ cut: 0 }))).toBe("50%");
  expect(cut(one({}))).toBe("As everywhere at first");
});

test("a namespace is named by its label, else by its hash", () => {
  expect(title(one({ label: " Support " }))).toBe("Support");
  expect(title(one({ label: "  " }))).toBe("Without instructions (0123456789ab)");
});

test("a state that is new to this page keeps its name", () => expect(stateOf("resting").name).toBe("resting"));
