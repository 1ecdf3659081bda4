import type { paths } from "@/api/schema";

/** By its route: other routes answer with an overview too, and the names of two of them change with who else has one. */
export type Installation = paths["/v1/operator/overview"]["get"]["responses"]["200"]["content"]["application/json"];
