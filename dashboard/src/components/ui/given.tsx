"use client";

import { useSearchParams } from "next/navigation";
import { type ReactNode, Suspense } from "react";
import { Empty, Loading } from "@/components/ui/states";

interface Props {
  names: readonly string[];
  children: (...given: string[]) => ReactNode;
}

/** What the address names, `?id=…`: pages are files, so a view of one thing is told so which one. */
export function Given(props: Props) {
  return (
    <Suspense fallback={<Loading />}>
      <Read {...props} />
    </Suspense>
  );
}

function Read({ names, children }: Props) {
  const query = useSearchParams();
  const given = names.map((name) => query.get(name) ?? "");
  if (given.includes("")) return <Empty title="Nothing is chosen">Choose one from its list.</Empty>;
  return <>{children(...given)}</>;
}
