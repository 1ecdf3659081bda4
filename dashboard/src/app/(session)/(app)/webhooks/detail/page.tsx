"use client";

import { Given } from "@/components/ui/given";
import { EndpointDetail } from "@/components/webhooks/detail";

export default function Webhook() {
  return <Given names={["id"]}>{(id) => <EndpointDetail key={id} id={id} />}</Given>;
}
