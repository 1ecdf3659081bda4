"use client";

import { Tabs } from "radix-ui";
import { useSession } from "@/auth/session";
import { Arrived } from "@/components/start/arrived";
import { firstRequest, LANGUAGES } from "@/components/start/first-request";
import { Step } from "@/components/start/step";
import { useFirstJob } from "@/components/start/use-first-job";
import { Code, Copy } from "@/components/ui/copy";
import { Loaded } from "@/components/ui/states";
import { addressOf } from "@/lib/use-config";

export function RequestStep({ secret }: { secret: string | null }) {
  const { config } = useSession();
  const jobs = useFirstJob();
  return (
    <Step number={3} title="First request" done={Boolean(jobs.data)}>
      <p>
        Run this wherever you like.
        {secret ? " It holds the key from above: keep it from others." : " Put your key where it says so."}
      </p>
      <Examples address={addressOf(config) ?? ""} secret={secret} />
      <Loaded found={jobs}>{(job) => <Arrived job={job} />}</Loaded>
    </Step>
  );
}

function Examples({ address, secret }: { address: string; secret: string | null }) {
  return (
    <Tabs.Root defaultValue={LANGUAGES[0]} className="grid min-w-0 gap-2">
      <Tabs.List aria-label="Language" className="flex gap-1">
        {LANGUAGES.map((language) => (
          <Tabs.Trigger
            key={language}
            value={language}
            className="rounded-md px-3 py-1.5 font-medium hover:bg-muted data-[state=active]:bg-accent"
          >
            {language}
          </Tabs.Trigger>
        ))}
      </Tabs.List>
      {LANGUAGES.map((language) => {
        const text = firstRequest(language, address, secret);
        return (
          <Tabs.Content key={language} value={language} className="grid min-w-0 gap-2">
            <Code>{text}</Code>
            <div>
              <Copy text={text} label="Copy the request" />
            </div>
          </Tabs.Content>
        );
      })}
    </Tabs.Root>
  );
}
