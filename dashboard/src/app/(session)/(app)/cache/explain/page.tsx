"use client";

import { Permitted } from "@/auth/permitted";
import { Explain } from "@/components/cache/explain";
import { PageTitle } from "@/components/shell/frame";
import { Back } from "@/components/ui/back";

export default function ExplainPage() {
  return (
    <>
      <Back href="/cache/">Cache</Back>
      <PageTitle title="Why served, or not?">
        Two questions, held against each other as the cache does it. Nothing is stored and no model is called.
      </PageTitle>
      <Permitted permission="prompts:read" to="compare questions">
        <Explain />
      </Permitted>
    </>
  );
}
