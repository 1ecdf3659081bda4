/** Whether an address from elsewhere may be gone to: no scripts, no files. */
export const isWeb = (url: string): boolean => URL.canParse(url) && ["https:", "http:"].includes(new URL(url).protocol);

/** Goes to another site. Throws where the address is none of the web's. */
export function leave(url: string): void {
  if (!isWeb(url)) throw new Error("The address is not one of the web's");
  window.location.assign(url);
}
