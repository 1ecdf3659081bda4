/** A link to an invitation. The token is in its fragment, which browsers send to no server and write into no log. */
export const acceptLink = (token: string): string => `${window.location.origin}/invitation/#token=${encodeURIComponent(token)}`;

const KEPT = "aico.invitation"; // in this tab, while its owner signs in

/** The token of the link that led here, also after a sign-in in between. It leaves the address bar. */
export function takeToken(): string | null {
  const given = new URLSearchParams(window.location.hash.slice(1)).get("token");
  if (given) {
    window.sessionStorage.setItem(KEPT, given);
    window.history.replaceState(window.history.state, "", window.location.pathname);
  }
  return window.sessionStorage.getItem(KEPT);
}

export const forgetToken = (): void => window.sessionStorage.removeItem(KEPT);
