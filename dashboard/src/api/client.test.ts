import { expect, test, vi } from "vitest";
import { createApi, mayPass, Problem, unwrap } from "@/api/client";

const reply = (status: number, error?: unknown, data?: unknown) =>
  Promise.resolve({ data, error, response: new Response(null, { status: status === 0 ? 200 : status }) });

const refusal = async (sent: ReturnType<typeof reply>): Promise<Problem> => {
  try {
    await unwrap(sent);
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
  throw new Error("it was not refused");
};

test("an answer is its data", async () => {
  expect(await unwrap(reply(200, undefined, { id: 1 }))).toEqual({ id: 1 });
});

test.each([
  ["OpenAI's form", { error: { message: "No such model.", param: "model" } }, "No such model.", "model"],
  ["a problem's detail", { title: "Conflict", detail: "It has ended.", param: null }, "It has ended.", null],
  ["a title alone", { title: "Conflict", detail: [{ msg: "x" }] }, "Conflict", null],
  ["a page of a proxy", "<html>bad gateway</html>", "The service answered 400.", null],
  ["nothing", undefined, "The service answered 400.", null],
])("a refusal is told in the service's words: %s", async (_, body, message, param) => {
  expect(await refusal(reply(400, body))).toMatchObject({ status: 400, message, param });
});

test("a service that is not reached is said to be so", async () => {
  expect(await refusal(Promise.reject(new TypeError("Failed to fetch")))).toMatchObject({ status: 0, param: "TypeError" });
});

test("only what may pass is tried again", () => {
  expect([0, 429, 500, 503].map((status) => mayPass(new Problem(status, "")))).toEqual([true, true, true, true]);
  expect([400, 401, 403, 404, 409, 422].some((status) => mayPass(new Problem(status, "")))).toBe(false);
});

test("a request carries the token and the tenant of whoever sends it, and neither without a sign-in", async () => {
  const sent = vi.fn(async (_: Request) => new Response("{}", { status: 200 }));
  vi.stubGlobal("fetch", sent);
  const headers = async (token: string | null) => {
    await createApi("http://api.test", async () => ({ token, tenant: "t1" })).GET("/v1/me");
    return sent.mock.lastCall?.[0].headers;
  };
  const mine = await headers("secret");
  expect([mine?.get("Authorization"), mine?.get("X-Tenant-Id")]).toEqual(["Bearer secret", "t1"]);
  const nobodys = await headers(null);
  expect([nobodys?.has("Authorization"), nobodys?.has("X-Tenant-Id")]).toEqual([false, false]);
  vi.unstubAllGlobals();
});
