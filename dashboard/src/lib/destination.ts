const HOME = "/overview/";
const HERE = "https://here.invalid";

/** Where a sign-in leads: the page that asked for it, if it is one of ours. */
export function destination(search: string): string {
  const wanted = new URLSearchParams(search).get("next");
  if (!wanted?.startsWith("/") || !URL.canParse(wanted, HERE)) return HOME;
  const url = new URL(wanted, HERE);
  const elsewhere = url.origin !== HERE || url.pathname.startsWith("/sign-"); // the sign-in itself would wait for ever
  return elsewhere ? HOME : url.pathname + url.search;
}
