"use client";

import { PageTitle } from "@/components/shell/frame";
import { Endpoints } from "@/components/webhooks/endpoints";

export default function Webhooks() {
  return (
    <>
      <PageTitle title="Webhooks">
        Your service is told what happens here. What is sent is signed after Standard Webhooks, holds ids and never an answer, and is
        tried for three days.
      </PageTitle>
      <Endpoints />
    </>
  );
}
