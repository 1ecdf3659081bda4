"use client";

import { toast } from "sonner";
import type { Api } from "@/api/client";
import { fetchFile } from "@/api/files";
import { useAction } from "@/api/hooks";
import { usePaged } from "@/api/paged";
import type { components } from "@/api/schema";
import { isOpen, REFRESHED_MS, RequestState } from "@/components/settings/requests";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { Paged } from "@/components/ui/paged";
import { Empty } from "@/components/ui/states";
import { type Column, Table } from "@/components/ui/table";
import { count, when } from "@/lib/format";
import { saveFile } from "@/lib/save-file";

type Export = components["schemas"]["ExportView"];

const create = (api: Api) => api.POST("/v1/exports");

const COLUMNS: readonly Column<Export>[] = [
  { name: "Asked for", cell: (one) => <span className="whitespace-nowrap">{when(one.created_at)}</span> },
  { name: "State", cell: (one) => <RequestState {...one} /> },
  { name: "Rows", number: true, wide: true, cell: (one) => count(Object.values(one.counts).reduce((sum, rows) => sum + rows, 0)) },
  {
    name: "SHA-256",
    wide: true,
    cell: (one) => one.sha256 && <code className="block max-w-40 truncate text-xs" title={one.sha256}>{one.sha256}</code>,
  },
  { name: "File", cell: (one) => one.file_id && <Download file={one.file_id} made={one.created_at} /> },
];

export function Exports() {
  const found = usePaged<Export>(["exports"], (api, after) => api.GET("/v1/exports", { params: { query: { after, limit: 10 } } }), {
    refreshInterval: (pages) => (pages?.some(({ data }) => data.some(isOpen)) ? REFRESHED_MS : 0),
  });
  const { run, busy } = useAction(create);
  const ask = async () => {
    if (!(await run())) return;
    toast.success("The export is being written.");
    found.mutate();
  };
  return (
    <Card
      title="Exports"
      hint="Everything that is the tenant's, as a zip file of JSON lines. It can be downloaded for seven days."
      actions={
        <Button busy={busy} onClick={ask}>
          Export everything
        </Button>
      }
    >
      <Paged found={found} empty={<Empty title="No export yet" />}>
        {(rows) => <Table label="Exports" columns={COLUMNS} rows={rows} rowKey={(one) => one.id} />}
      </Paged>
    </Card>
  );
}

function Download({ file, made }: { file: string; made: string }) {
  const { run, busy } = useAction(fetchFile);
  const download = async () => {
    const found = await run(file);
    if (found) saveFile(found.data, `export-${made.slice(0, 10)}.zip`);
  };
  return (
    <Button size="small" busy={busy} aria-label={`Download the export of ${when(made)}`} onClick={download}>
      Download
    </Button>
  );
}
