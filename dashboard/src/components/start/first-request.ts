/** The first request, ready to be run. Nothing of it comes from anywhere but this installation. */

export const LANGUAGES = ["curl", "Python", "JavaScript"] as const;
export type Language = (typeof LANGUAGES)[number];

const QUESTION = "What is the capital of France?";
const PLACEHOLDER = "YOUR_API_KEY";

/** `address` is the API's, without a slash at its end. Without `secret` a placeholder stands for the key. */
export function firstRequest(language: Language, address: string, secret: string | null): string {
  return WRITTEN[language](address, secret ?? PLACEHOLDER);
}

const WRITTEN: Record<Language, (address: string, key: string) => string> = {
  curl: (address, key) => `export AICO_API_KEY=${key}
curl ${address}/v1/chat/completions \\
  --header "Authorization: Bearer $AICO_API_KEY" \\
  --header "Content-Type: application/json" \\
  --data '{"model": "auto", "messages": [{"role": "user", "content": "${QUESTION}"}]}'
`,
  Python: (address, key) => `# pip install openai
from openai import OpenAI

client = OpenAI(base_url="${address}/v1", api_key="${key}")
answer = client.chat.completions.create(
    model="auto",
    messages=[{"role": "user", "content": "${QUESTION}"}],
)
print(answer.choices[0].message.content)
`,
  JavaScript: (address, key) => `// npm install openai
import OpenAI from "openai";

const client = new OpenAI({ baseURL: "${address}/v1", apiKey: "${key}" });
const answer = await client.chat.completions.create({
  model: "auto",
  messages: [{ role: "user", content: "${QUESTION}" }],
});
console.log(answer.choices[0].message.content);
`,
};
