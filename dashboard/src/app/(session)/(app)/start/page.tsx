"use client";

import { useState } from "react";
import { PageTitle } from "@/components/shell/frame";
import { KeyStep } from "@/components/start/key-step";
import { NextSteps } from "@/components/start/next-steps";
import { PlanStep } from "@/components/start/plan-step";
import { RequestStep } from "@/components/start/request-step";

export default function Start() {
  const [secret, setSecret] = useState<string | null>(null); // of the key that was made here; it is kept nowhere
  return (
    <>
      <PageTitle title="Get started">A plan, a key, and a first request: then this dashboard has something to show.</PageTitle>
      <ol className="grid gap-5">
        <PlanStep />
        <KeyStep secret={secret} onMade={setSecret} />
        <RequestStep secret={secret} />
      </ol>
      <NextSteps />
    </>
  );
}
