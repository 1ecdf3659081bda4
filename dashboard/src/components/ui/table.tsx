import type { Key, ReactNode } from "react";
import { classes } from "@/lib/classes";

export interface Column<R> {
  name: string;
  cell: (row: R) => ReactNode;
  number?: boolean; // to the right
  wide?: boolean; // left out on phones
}

interface Props<R> {
  label: string; // for those who do not see it
  columns: readonly Column<R>[];
  rows: readonly R[];
  rowKey: (row: R) => Key;
}

/** Scrolls within itself where it is too wide. The first column names the row. */
export function Table<R>({ label, columns, rows, rowKey }: Props<R>) {
  return (
    <div className="overflow-x-auto" tabIndex={0} role="region" aria-label={label}>
      <table className="w-full text-sm">
        <thead>
          <tr className="border-b text-left text-muted-foreground">
            {columns.map((column) => (
              <th key={column.name} scope="col" className={classes("px-2 py-2 font-medium", place(column))}>
                {column.name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={rowKey(row)} className="border-b last:border-0 hover:bg-muted/60">
              {columns.map((column, index) =>
                index === 0 ? (
                  <th key={column.name} scope="row" className={classes("px-2 py-2 text-left font-normal", place(column))}>
                    {column.cell(row)}
                  </th>
                ) : (
                  <td key={column.name} className={classes("px-2 py-2", place(column))}>
                    {column.cell(row)}
                  </td>
                ),
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const place = <R,>(column: Column<R>): string =>
  classes(column.number && "text-right tabular-nums", column.wide && "max-sm:hidden");
