import type { Api } from "@/api/client";

/** What is in a file. */
export async function fetchFile(api: Api, file_id: string) {
  // The route's description has no schema for it.
  const { data, error, response } = await api.GET("/v1/files/{file_id}/content", { params: { path: { file_id } }, parseAs: "blob" });
  return { data: data as Blob | undefined, error, response };
}
