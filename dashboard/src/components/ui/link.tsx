"use client";

import NextLink from "next/link";
import { type ComponentProps, useState } from "react";

/** The scripts of another page are fetched when somebody reaches for it: not for each link in view, which would be all pages. */
export function Link(props: ComponentProps<typeof NextLink>) {
  const [reachedFor, setReachedFor] = useState(false);
  const reach = () => setReachedFor(true);
  return <NextLink prefetch={reachedFor ? null : false} onPointerEnter={reach} onFocus={reach} {...props} />;
}
