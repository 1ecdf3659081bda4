/** Server-sent events as they are read, from a request that carries a token: a browser's own reader could not send one. */

export interface ServerEvent {
  name: string;
  data: unknown;
}

/** Ends when the stream does. Throws when it breaks, and where an event holds no JSON. */
export async function* eventsOf(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent> {
  const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      const event = read(block);
      if (event) yield event;
    }
  }
}

/** Null for a comment, which keeps the connection open. */
function read(block: string): ServerEvent | null {
  const field = (name: string) => block.split("\n").flatMap((line) => (line.startsWith(`${name}:`) ? [line.slice(name.length + 1).trim()] : []));
  const data = field("data");
  return data.length > 0 ? { name: field("event")[0] ?? "message", data: JSON.parse(data.join("\n")) } : null;
}
