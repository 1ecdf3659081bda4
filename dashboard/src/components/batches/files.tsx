"use client";

import { Download } from "lucide-react";
import { fetchFile } from "@/api/files";
import { useAction, useResource } from "@/api/hooks";
import type { Batch } from "@/components/batches/words";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { bytes } from "@/lib/format";
import { saveFile } from "@/lib/save-file";

function FileRow({ id, what }: { id: string; what: string }) {
  const about = useResource(["file", id], (api) => api.GET("/v1/files/{file_id}", { params: { path: { file_id: id } } }));
  const { run, busy } = useAction(fetchFile);
  const fetchIt = async () => {
    const found = await run(id);
    if (found) saveFile(found.data, about.data?.filename ?? `${id}.jsonl`);
  };
  return (
    <li className="flex flex-wrap items-center justify-between gap-2 py-2">
      <div className="min-w-0">
        <p className="text-sm font-medium">{what}</p>
        <p className="text-xs text-muted-foreground wrap-anywhere">
          {about.data ? `${about.data.filename} · ${bytes(about.data.bytes)}` : (about.error?.message ?? id)}
        </p>
      </div>
      {!about.error && (
        <Button size="small" busy={busy} onClick={fetchIt} aria-label={`Download ${what.toLowerCase()}`}>
          <Download aria-hidden />
          Download
        </Button>
      )}
    </li>
  );
}

export function Files({ batch }: { batch: Batch }) {
  return (
    <Card title="Files">
      <ul className="-my-2 divide-y">
        <FileRow id={batch.input_file_id} what="Requests" />
        {batch.output_file_id && <FileRow id={batch.output_file_id} what="Answers" />}
        {batch.error_file_id && <FileRow id={batch.error_file_id} what="Failed requests" />}
      </ul>
    </Card>
  );
}
