import type { SupabaseClient } from "@supabase/supabase-js";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { follow, type LiveState } from "@/live/follow";

/** As much of Supabase's client as is asked for, with the server in the test's hand. */
class Pretended {
  channels: { topic: string; say: (status: string) => void }[] = [];
  removed: unknown[] = [];
  tokens: string[] = [];
  token: string | null = "first";
  auth = {
    getSession: async () => ({ data: { session: this.token === null ? null : { access_token: this.token } } }),
  };
  realtime = { setAuth: async (token: string) => void this.tokens.push(token) };
  channel = (topic: string) => {
    const made = {
      topic,
      say: (_: string) => {},
      subscribe: (callback: (status: string) => void) => {
        made.say = callback;
        return made;
      },
    };
    this.channels.push(made);
    return made;
  };
  removeChannel = async (channel: unknown) => void this.removed.push(channel);
}

let server: Pretended;
let states: LiveState[];
const listen = () =>
  follow(server as unknown as SupabaseClient, { topic: "t", hear: (channel) => channel, told: (state) => states.push(state) });

beforeEach(() => {
  vi.useFakeTimers();
  server = new Pretended();
  states = [];
});
afterEach(() => vi.useRealTimers());

test("each connection is told, since what came before it was missed", () => {
  listen();
  for (const status of ["SUBSCRIBED", "CHANNEL_ERROR", "TIMED_OUT", "SUBSCRIBED"]) server.channels[0]?.say(status);
  expect(states).toEqual(["live", "connecting", "connecting", "live"]);
  expect(server.channels).toHaveLength(1); // the client itself joins again
});

test("a channel that the server has closed is opened anew, with the token of then", async () => {
  listen();
  server.channels[0]?.say("SUBSCRIBED");
  server.token = "renewed";
  server.channels[0]?.say("CLOSED");
  expect(states.at(-1)).toBe("off");
  await vi.runAllTimersAsync();
  expect(server.channels).toHaveLength(2);
  expect(server.tokens).toEqual(["renewed"]);
  server.channels[1]?.say("SUBSCRIBED");
  expect(states.at(-1)).toBe("live");
});

test("while there is no session nothing is opened", async () => {
  listen();
  server.token = null;
  server.channels[0]?.say("CLOSED");
  await vi.advanceTimersByTimeAsync(60_000);
  expect(server.channels).toHaveLength(1);
  server.token = "renewed";
  await vi.advanceTimersByTimeAsync(60_000);
  expect(server.channels).toHaveLength(2);
});

test("who has left hears nothing more, and leaves no channel and no timer", async () => {
  const leave = listen();
  server.channels[0]?.say("CLOSED");
  leave();
  server.channels[0]?.say("SUBSCRIBED");
  await vi.runAllTimersAsync();
  expect(states).toEqual(["off"]);
  expect(server.channels).toHaveLength(1);
  expect(server.removed).toEqual(server.channels);
});

test("who leaves while the session is asked for opens nothing", async () => {
  const leave = listen();
  server.channels[0]?.say("CLOSED");
  vi.advanceTimersByTime(60_000);
  leave();
  await vi.runAllTimersAsync();
  expect(server.channels).toHaveLength(1);
});
