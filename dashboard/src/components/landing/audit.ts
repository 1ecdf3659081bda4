/** The figures that `aico audit --json` prints, read from a file that the visitor chose. Nothing here does any I/O. */

export const VERSION = 2; // of its format
export const LARGEST_FILE = 1024 * 1024; // bytes; a result has some kB

const PARTS = ["exact", "semantic", "route", "prefix", "batch", "total"] as const;
export type PartName = (typeof PARTS)[number];

export interface Part {
  name: PartName;
  calls: number;
  cautious: number; // cents, as all of these
  hopeful: number;
  low: number;
  high: number;
}

export interface Audit {
  calls: number;
  cents: number; // what the logged calls cost, as far as that is known
  since: string | null;
  until: string | null;
  parts: readonly Part[]; // the total is the last
  warnings: readonly string[];
}

/** Why a file is not used, in words for whoever chose it. */
export class NotAnAudit extends Error {}

/** Raises NotAnAudit. Whatever else the file holds is passed over. */
export function readAudit(text: string): Audit {
  const found = record(parsed(text));
  if (!("version" in found && "log" in found && "parts" in found)) throw new NotAnAudit(NOT_ONE);
  if (found.version !== VERSION) {
    throw new NotAnAudit(`This result is of version ${String(found.version)}, and this page reads version ${VERSION}.`);
  }
  const log = record(found.log);
  const cents = figure(log.cents);
  if (cents <= 0)
    throw new NotAnAudit("The log holds no call whose cost is known, so there is nothing to compare with.");
  return {
    calls: figure(log.calls),
    cents,
    since: moment(log.since),
    until: moment(log.until),
    parts: [...list(found.parts).map(part), part(found.total)],
    warnings: list(found.warnings).filter((warning) => typeof warning === "string"),
  };
}

const NOT_ONE = "This is not what `aico audit --json` prints. A log itself is read by that command, on your machine.";
const BROKEN = "This result is damaged: a part of it is missing, or not a number.";

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new NotAnAudit(NOT_ONE); // JSON lines too: more than one value is no JSON
  }
}

function record(value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new NotAnAudit(NOT_ONE);
  return value as Record<string, unknown>;
}

function list(value: unknown): unknown[] {
  if (!Array.isArray(value)) throw new NotAnAudit(BROKEN);
  return value;
}

/** A number, or a decimal in text as money is. */
function figure(value: unknown): number {
  const number =
    typeof value === "number" || (typeof value === "string" && value.trim() !== "") ? Number(value) : Number.NaN;
  if (!Number.isFinite(number)) throw new NotAnAudit(BROKEN);
  return number;
}

const moment = (value: unknown): string | null =>
  typeof value === "string" && !Number.isNaN(Date.parse(value)) ? value : null;

function part(value: unknown): Part {
  const found = record(value);
  const name = PARTS.find((known) => known === found.name);
  if (!name) throw new NotAnAudit(BROKEN);
  const cents = record(found.cents);
  return {
    name,
    calls: figure(found.calls),
    cautious: figure(cents.cautious),
    hopeful: figure(cents.hopeful),
    low: figure(cents.low),
    high: figure(cents.high),
  };
}
