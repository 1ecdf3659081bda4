import createClient, { type Client } from "openapi-fetch";
import type { paths } from "@/api/schema";

export type Api = Client<paths>;

/** A refusal in the service's own words. Status 0: the service was not reached. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly param: string | null = null,
  ) {
    super(message);
  }
}

const TOO_MANY = 429;
const FAULT = 500; // and what is above it

/** Whether the same request may be answered a little later: what was refused for what it asks will not be. */
export const mayPass = ({ status }: Problem): boolean => status === 0 || status === TOO_MANY || status >= FAULT;

/** `credentials` gives a fresh token for each request, and the tenant that it acts for. */
export function createApi(baseUrl: string, credentials: () => Promise<{ token: string | null; tenant: string | null }>): Api {
  const api = createClient<paths>({ baseUrl });
  api.use({
    async onRequest({ request }) {
      const { token, tenant } = await credentials();
      if (token) request.headers.set("Authorization", `Bearer ${token}`);
      if (token && tenant) request.headers.set("X-Tenant-Id", tenant);
      return request;
    },
  });
  return api;
}

interface Reply<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** The data of a reply. Throws Problem. */
export async function unwrap<T>(sent: Promise<Reply<T>>): Promise<T> {
  let reply: Reply<T>;
  try {
    reply = await sent;
  } catch (error) {
    throw new Problem(0, "The service cannot be reached. Is it running?", error instanceof Error ? error.name : null);
  }
  if (!reply.response.ok) throw problem(reply.response.status, reply.error);
  return reply.data as T;
}

interface Refusal {
  detail?: unknown;
  title?: string;
  param?: string | null;
  error?: { message?: string; param?: string | null };
}

function problem(status: number, body: unknown): Problem {
  const refusal: Refusal = typeof body === "object" && body !== null ? body : {};
  const words = refusal.error?.message ?? (typeof refusal.detail === "string" ? refusal.detail : refusal.title);
  return new Problem(status, words ?? `The service answered ${status}.`, refusal.error?.param ?? refusal.param ?? null);
}
