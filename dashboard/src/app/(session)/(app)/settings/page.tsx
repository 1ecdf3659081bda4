"use client";

import { Policy } from "@/components/settings/policy";

export default function Settings() {
  return <Policy />;
}
