import type { RealtimeChannel, RealtimeChannelOptions, SupabaseClient } from "@supabase/supabase-js";

export type LiveState = "connecting" | "live" | "off";

const AGAIN_MS = 2000;

interface Followed {
  topic: string;
  options?: RealtimeChannelOptions;
  hear: (channel: RealtimeChannel) => RealtimeChannel; // adds what is listened to
  told: (state: LiveState) => void; // "live" at each connection: what came before it was missed
}

/** Listens to a topic until what it returns is called.
 *
 * Supabase's client joins again where a connection is lost, but not where the server has closed the channel, as it does when
 * a token ends: a page in the background does not renew its own. Asking for the session does.
 */
export function follow(supabase: SupabaseClient, { topic, options, hear, told }: Followed): () => void {
  let left = false;
  let channel: RealtimeChannel | undefined;
  let again: ReturnType<typeof setTimeout> | undefined;
  const open = () => {
    channel = hear(supabase.channel(topic, options)).subscribe((status) => {
      if (left) return;
      told(status === "SUBSCRIBED" ? "live" : status === "CLOSED" ? "off" : "connecting");
      if (status === "CLOSED") again = setTimeout(reopen, AGAIN_MS);
    });
  };
  const reopen = async () => {
    const session = await supabase.auth.getSession().then(
      ({ data }) => data.session,
      () => null,
    );
    if (left) return;
    if (session) {
      void supabase.realtime.setAuth(session.access_token);
      open();
    } else again = setTimeout(reopen, AGAIN_MS); // signed out, and this is left in a moment; or the server is away
  };
  open();
  return () => {
    left = true;
    clearTimeout(again);
    if (channel) void supabase.removeChannel(channel);
  };
}
