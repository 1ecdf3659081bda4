"use client";

import { useEffect, useState } from "react";
import { type Config, loadConfig } from "@/lib/config";

/** Null until it is known, and where it cannot be read: a page that needs no more than that goes on without. */
export function useConfig(): Config | null {
  const [config, setConfig] = useState<Config | null>(null);
  useEffect(() => {
    loadConfig().then(setConfig, () => setConfig(null));
  }, []);
  return config;
}

/** Of the API, for programs; null until it is known. */
export const addressOf = (config: Config | null): string | null => config && (config.apiUrl || window.location.origin);
