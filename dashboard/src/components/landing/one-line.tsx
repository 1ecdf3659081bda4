"use client";

import { Code } from "@/components/ui/copy";
import { addressOf, useConfig } from "@/lib/use-config";

/** What a program changes that uses OpenAI's client. */
export function OneLine() {
  const address = addressOf(useConfig()) ?? "https://your-address";
  return (
    <figure className="grid min-w-0 gap-2">
      <figcaption className="text-sm text-muted-foreground">
        A program that uses OpenAI’s client, in whatever language, changes one line and its key.
      </figcaption>
      <Code>{`from openai import OpenAI

client = OpenAI(
    base_url="${address}/v1",  # this line
    api_key="aico_live_...",
)
answer = client.chat.completions.create(
    model="auto",  # or a model that you name
    messages=[{"role": "user", "content": "..."}],
)`}</Code>
    </figure>
  );
}
