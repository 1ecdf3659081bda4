"use client";

import { Given } from "@/components/ui/given";
import { DeliveryDetail } from "@/components/webhooks/delivery";

export default function Delivery() {
  return <Given names={["webhook", "id"]}>{(webhook, id) => <DeliveryDetail key={id} webhook={webhook} id={id} />}</Given>;
}
