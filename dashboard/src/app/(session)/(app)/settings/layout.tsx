import type { Metadata } from "next";
import type { ReactNode } from "react";
import { Sections } from "@/components/settings/sections";
import { PageTitle } from "@/components/shell/frame";

export const metadata: Metadata = { title: "Settings" };

export default function SettingsLayout({ children }: { children: ReactNode }) {
  return (
    <>
      <PageTitle title="Settings" />
      <Sections />
      {children}
    </>
  );
}
