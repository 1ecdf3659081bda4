import { Badge } from "@/components/ui/badge";
import type { Endpoint } from "@/components/webhooks/types";
import { ago, when } from "@/lib/format";

export const SECRET_HINT = "With it your service verifies that what it receives is from here. Any library for Standard Webhooks takes it as it is.";

export function EndpointState({ endpoint }: { endpoint: Endpoint }) {
  if (endpoint.enabled) return <Badge tone="good">enabled</Badge>;
  return (
    <div className="grid justify-items-start gap-1">
      <Badge tone="bad">disabled</Badge>
      {endpoint.disabled_at && (
        <span className="text-xs text-muted-foreground" title={when(endpoint.disabled_at)}>
          {ago(endpoint.disabled_at)}
          {endpoint.disabled_reason && `: ${endpoint.disabled_reason}`}
        </span>
      )}
    </div>
  );
}
