/** Where the API and Supabase are. Told at run time, so that one build serves every installation. */
export interface Config {
  apiUrl: string; // "" is the page's own origin
  supabaseUrl: string | null; // null: nobody can sign in here
  supabaseKey: string | null;
  version: string;
}

export async function loadConfig(): Promise<Config> {
  const response = await fetch("/config.json", { cache: "no-store" });
  if (!response.ok) throw new Error(`/config.json answered ${response.status}`);
  const found = await response.json();
  return {
    apiUrl: found.api_url ?? "",
    supabaseUrl: found.supabase_url ?? null,
    supabaseKey: found.supabase_key ?? null,
    version: found.version ?? "",
  };
}
