/** What the service calls that to which a saving is owed, in a reader's words. */
const NAMES: Record<string, string> = {
  exact: "The same question",
  semantic: "A question that means the same",
  shared: "One call for many askers",
  routing: "Choice of the model",
  lane: "Batch discount",
  comparison: "Comparing answers",
};

export const leverName = (lever: string): string => NAMES[lever] ?? lever;
