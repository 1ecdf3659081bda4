"use client";

import { type ComponentProps, useState } from "react";
import { inputStyle } from "@/components/ui/field";
import { classes } from "@/lib/classes";

interface Props extends Omit<ComponentProps<"input">, "type" | "value" | "defaultValue" | "onChange" | "min" | "max"> {
  start: number;
  most?: number;
  onNumber: (value: number) => void; // 0 where nothing is written
}

/** From 0 to `most`. What is written stays as it is written while it is being written. */
export function NumberInput({ start, most = Number.MAX_SAFE_INTEGER, onNumber, className, ...rest }: Props) {
  const [text, setText] = useState(String(start));
  return (
    <input
      {...rest}
      type="number"
      min={0}
      max={most}
      step="any"
      inputMode="decimal"
      className={classes(inputStyle, className)}
      value={text}
      onChange={(event) => {
        setText(event.target.value);
        onNumber(Math.min(Math.max(event.target.valueAsNumber || 0, 0), most));
      }}
    />
  );
}
