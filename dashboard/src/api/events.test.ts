import { expect, test } from "vitest";
import { eventsOf } from "@/api/events";

/** A body that arrives in these pieces. */
const arriving = (pieces: readonly Uint8Array[]) =>
  new ReadableStream<Uint8Array>({
    start(body) {
      for (const piece of pieces) body.enqueue(piece);
      body.close();
    },
  });

async function read(...pieces: string[]) {
  const bytes = new TextEncoder();
  const found = [];
  for await (const event of eventsOf(arriving(pieces.map((piece) => bytes.encode(piece))))) found.push(event);
  return found;
}

test("events are whole however they are cut, and comments are none", async () => {
  const sent = ": still here\n\nevent: text\ndata: {\"text\": \"a\\n\\nb\"}\n\ndata: 1\n\n";
  const told = [
    { name: "text", data: { text: "a\n\nb" } },
    { name: "message", data: 1 },
  ];
  expect(await read(sent)).toEqual(told);
  expect(await read(...sent)).toEqual(told);
});

test("letters of several bytes survive a cut between these", async () => {
  const bytes = new TextEncoder().encode('data: "é"\n\n');
  const cut = bytes.indexOf(0xc3) + 1;
  const found = [];
  for await (const event of eventsOf(arriving([bytes.slice(0, cut), bytes.slice(cut)]))) found.push(event);
  expect(found).toEqual([{ name: "message", data: "é" }]);
});

test("an event that the connection did not finish is not told", async () => {
  expect(await read("data: 1\n\ndata: 2")).toEqual([{ name: "message", data: 1 }]);
});

test("what is no JSON breaks the stream", async () => {
  await expect(read("data: {\n\n")).rejects.toThrow(SyntaxError);
});
