"use client";

import { useResource } from "@/api/hooks";
import { Overview } from "@/components/operator/overview";
import { PageTitle } from "@/components/shell/frame";
import { Empty, Loaded } from "@/components/ui/states";

export default function Operator() {
  const me = useResource(["me"], (api) => api.GET("/v1/me"));
  return (
    <>
      <PageTitle title="Operator">All that runs here, of all tenants together.</PageTitle>
      <Loaded found={me}>{({ operator }) => (operator ? <Overview /> : <NotYours />)}</Loaded>
    </>
  );
}

function NotYours() {
  return (
    <Empty title="This page is the operator's">
      It shows the whole installation, so it belongs to whoever runs it, and no tenant's role opens it. The operator lets somebody
      in with <code>aico users operator EMAIL</code>, from the next sign-in on.
    </Empty>
  );
}
