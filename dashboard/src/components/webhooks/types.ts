import type { components } from "@/api/schema";
import type { Tone } from "@/components/ui/badge";

export type Endpoint = components["schemas"]["WebhookView"];
export type Delivery = components["schemas"]["DeliveryView"];
export type Attempt = components["schemas"]["AttemptView"];
export type Event = NonNullable<components["schemas"]["WebhookRequest"]["events"]>[number];

export const TONES: Record<Delivery["status"], Tone> = { pending: "warning", delivered: "good", failed: "bad" };

/** Each with the part of its name before the dot, under which they are offered. */
export const EVENTS: readonly Event[] = [
  "job.completed",
  "job.failed",
  "job.cancelled",
  "job.expired",
  "job.incomplete",
  "batch.completed",
  "batch.failed",
  "batch.expired",
  "batch.cancelled",
  "response.completed",
  "response.failed",
  "response.incomplete",
  "response.cancelled",
  "webhook.disabled",
  "quota.threshold_reached",
  "spend.anomaly",
  "price.unknown",
  "experiment.stopped",
  "experiment.arm_ended",
];

export const detailPath = (id: string): string => `/webhooks/detail/?id=${encodeURIComponent(id)}`;
export const deliveryPath = (webhook: string, id: string): string =>
  `/webhooks/delivery/?webhook=${encodeURIComponent(webhook)}&id=${encodeURIComponent(id)}`;
