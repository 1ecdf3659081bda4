"use client";

import Link from "next/link";
import type { Api } from "@/api/client";
import { useAction, useResource } from "@/api/hooks";
import { useSession } from "@/auth/session";
import { Step } from "@/components/start/step";
import { Button, buttonStyle } from "@/components/ui/button";
import { Code, Copy } from "@/components/ui/copy";
import { Loaded } from "@/components/ui/states";
import { classes } from "@/lib/classes";

const make = (api: Api) => api.POST("/v1/api-keys", { body: { name: "first key", scopes: [] } });

interface Props {
  secret: string | null;
  onMade: (secret: string) => void;
}

export function KeyStep({ secret, onMade }: Props) {
  const { tenant } = useSession();
  if (!tenant?.permissions.includes("keys:write")) {
    return (
      <Step number={2} title="API key" done={false}>
        <p>Ask an owner or an administrator of {tenant?.name} for a key. Your programs send it with each request.</p>
      </Step>
    );
  }
  return <Making secret={secret} onMade={onMade} />;
}

function Making({ secret, onMade }: Props) {
  const keys = useResource(["api-keys", "first"], (api) =>
    api.GET("/v1/api-keys", { params: { query: { limit: 100 } } }),
  );
  const { run, busy } = useAction(make);
  const create = async () => {
    const made = await run();
    if (!made) return;
    onMade(made.data.secret);
    keys.mutate();
  };
  const live = keys.data?.data.filter((key) => key.state === "live").length ?? 0;
  return (
    <Step number={2} title="API key" done={secret !== null || live > 0}>
      {secret ? (
        <Made secret={secret} />
      ) : (
        <Loaded found={keys}>
          {() => (
            <>
              <p>
                {live > 0
                  ? `You have ${live === 1 ? "a key" : `${live} keys`} already. If nobody kept the secret, make another.`
                  : "Your programs send it with each request. It may submit and read prompts, and administer nothing."}
              </p>
              <div className="flex flex-wrap items-center gap-3">
                <Button look={live > 0 ? "plain" : "primary"} busy={busy} onClick={create}>
                  {live > 0 ? "Make another key" : "Make the first key"}
                </Button>
                {live > 0 && (
                  <Link href="/keys/" className={classes(buttonStyle({ look: "link" }), "h-auto px-0")}>
                    All keys
                  </Link>
                )}
              </div>
            </>
          )}
        </Loaded>
      )}
    </Step>
  );
}

function Made({ secret }: { secret: string }) {
  return (
    <div role="status" className="grid min-w-0 gap-2">
      <p>This is your key. It is shown this once: copy it to where you keep secrets.</p>
      <Code>{secret}</Code>
      <div>
        <Copy text={secret} label="Copy the key" />
      </div>
    </div>
  );
}
