"use client";

import { Alerts } from "@/components/budgets/alerts";
import { Plan } from "@/components/budgets/plan";
import { Quotas } from "@/components/budgets/quotas";
import { PageTitle } from "@/components/shell/frame";

export default function Budgets() {
  return (
    <>
      <PageTitle title="Budgets">What may be used, what is left of it, and what it takes to have more.</PageTitle>
      <Quotas />
      <Plan />
      <Alerts />
    </>
  );
}
