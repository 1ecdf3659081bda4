import { ExternalLink } from "lucide-react";
import type { components } from "@/api/schema";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { isWeb } from "@/lib/leave";

/** Where to look further. */
export function Consoles({ overview: { flower_url, traces } }: { overview: components["schemas"]["OperatorOverview"] }) {
  return (
    <Card title="Consoles">
      <div className="grid justify-items-start gap-3 text-sm">
        {flower_url && isWeb(flower_url) ? (
          <>
            <p>Flower shows each task of the workers. It can stop them too, so it asks for a password of its own.</p>
            <Button asChild>
              <a href={flower_url} target="_blank" rel="noreferrer">
                Open Flower
                <ExternalLink aria-hidden />
              </a>
            </Button>
          </>
        ) : (
          <p>
            Nobody has said where Flower is: set <code>FLOWER_URL</code>.
          </p>
        )}
        <p className="text-muted-foreground">
          {traces ? (
            "Traces are sent to a collector."
          ) : (
            <>
              Traces are off; <code>OTEL_EXPORTER_OTLP_ENDPOINT</code> switches them on.
            </>
          )}
        </p>
      </div>
    </Card>
  );
}
