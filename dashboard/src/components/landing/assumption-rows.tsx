"use client";

import { useId } from "react";
import { ASSUMED, type Asked, type Assumptions, type Reading, READINGS } from "@/components/landing/estimate";
import { NumberInput } from "@/components/landing/number-input";

const WORDS: Record<Reading, string> = { cautious: "Cautious", hopeful: "Hopeful" };

interface Props {
  assumed: Record<Reading, Assumptions>;
  onChange: (reading: Reading, name: keyof Assumptions, value: number) => void;
}

/** One figure for each reading, and where the figures come from that it starts with. */
export function AssumptionRows({ assumed, onChange }: Props) {
  return (
    <div className="grid gap-5">
      {ASSUMED.map((asked) => (
        <AssumptionRow key={asked.name} asked={asked} assumed={assumed} onChange={onChange} />
      ))}
    </div>
  );
}

function AssumptionRow({ asked, assumed, onChange }: Props & { asked: Asked }) {
  const id = useId();
  return (
    <div
      role="group"
      aria-labelledby={`${id}-label`}
      aria-describedby={`${id}-source`}
      className="grid gap-x-4 gap-y-2 sm:grid-cols-[1fr_auto]"
    >
      <p id={`${id}-label`} className="self-end text-sm font-medium">
        {asked.label}
      </p>
      <div className="flex gap-3 sm:row-span-2">
        {READINGS.map((reading) => (
          <label key={reading} className="grid gap-1 text-xs text-muted-foreground">
            {WORDS[reading]}, %
            <NumberInput
              start={assumed[reading][asked.name]}
              most={100}
              className="w-24 text-foreground"
              onNumber={(value) => onChange(reading, asked.name, value)}
            />
          </label>
        ))}
      </div>
      <p id={`${id}-source`} className="max-w-prose text-xs text-muted-foreground">
        {asked.source}
      </p>
    </div>
  );
}
