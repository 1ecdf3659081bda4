const HOME = "/overview/";

/** Where a sign-in leads: the page that asked for it, if it is one of ours. */
export function destination(search: string): string {
  const wanted = new URLSearchParams(search).get("next");
  if (!wanted) return HOME;
  const url = new URL(wanted, "https://here.invalid");
  return url.origin === "https://here.invalid" && wanted.startsWith("/") ? url.pathname + url.search : HOME;
}
