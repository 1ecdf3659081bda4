import type { components } from "@/api/schema";
import type { Tone } from "@/components/ui/badge";

export type ApiKey = components["schemas"]["aico__api__key_schemas__KeyView"];
export type Quota = components["schemas"]["QuotaView"];

export type KeyDeed = { name: "make" } | { name: "change" | "rotate" | "revoke"; apiKey: ApiKey };

export interface DeedProps {
  apiKey: ApiKey;
  onClose: () => void;
  onDone: (secret?: string) => void; // a secret is to be shown, once
}

export const TONES: Record<ApiKey["state"], Tone> = { live: "good", expired: "neutral", revoked: "neutral" };

/** What a program needs. It is what a key without scopes has. */
export const USUAL_SCOPES: readonly string[] = ["prompts:read", "prompts:write", "usage:read", "webhooks:write"];

export const SCOPES: readonly (readonly [ApiKey["scopes"][number], string])[] = [
  ["prompts:read", "read jobs, answers, files and batches"],
  ["prompts:write", "submit, upload, cancel, replay, give feedback"],
  ["usage:read", "read costs, savings, quotas and outcomes"],
  ["webhooks:write", "add and change webhook endpoints"],
  ["keys:write", "make and revoke API keys"],
  ["members:write", "invite and remove members"],
  ["settings:write", "change policy, quotas and provider keys"],
  ["audit:read", "read the audit log"],
  ["data:write", "export and erase all data"],
  ["billing:write", "see and change the subscription"],
];
