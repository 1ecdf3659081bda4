import type { ReactNode } from "react";
import type { Paged as Found } from "@/api/paged";
import { Button } from "@/components/ui/button";
import { Loaded } from "@/components/ui/states";

interface Props<R> {
  found: Found<R>;
  empty: ReactNode;
  children: (rows: R[]) => ReactNode;
}

/** A list that is read page by page, with what there is in place of an empty one. */
export function Paged<R>({ found, empty, children }: Props<R>) {
  return (
    <Loaded found={{ data: found.rows, error: found.error, mutate: found.mutate }}>
      {(rows) => (
        <>
          {rows.length === 0 ? empty : children(rows)}
          {found.more && (
            <div className="mt-3 flex justify-center">
              <Button busy={found.busy} onClick={found.loadMore}>
                Load more
              </Button>
            </div>
          )}
        </>
      )}
    </Loaded>
  );
}
