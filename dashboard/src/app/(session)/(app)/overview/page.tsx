"use client";

import { useState } from "react";
import { Figures } from "@/components/overview/figures";
import { SpendHistory } from "@/components/overview/history";
import { Levers } from "@/components/overview/levers";
import { LiveRequests } from "@/components/overview/live";
import { SPANS, type Span } from "@/components/overview/spans";
import { PageTitle } from "@/components/shell/frame";

export default function Overview() {
  const [span, setSpan] = useState<Span>("day");
  return (
    <>
      <PageTitle
        title="Overview"
        actions={
          <select
            aria-label="Period"
            className="h-9 rounded-md border bg-card px-2 text-sm"
            value={span}
            onChange={(event) => setSpan(event.target.value as Span)}
          >
            {Object.entries(SPANS).map(([key, { name }]) => (
              <option key={key} value={key}>
                {name}
              </option>
            ))}
          </select>
        }
      />
      <Figures span={span} />
      <LiveRequests />
      <div className="grid gap-5 lg:grid-cols-[3fr_2fr]">
        <SpendHistory span={span} />
        <Levers span={span} />
      </div>
    </>
  );
}
