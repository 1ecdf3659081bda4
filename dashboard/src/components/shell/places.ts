import {
  Beaker,
  Boxes,
  ChartLine,
  Database,
  FileStack,
  Gauge,
  KeyRound,
  ListChecks,
  type LucideIcon,
  PiggyBank,
  Settings,
  Users,
  Wallet,
  Webhook,
  Wrench,
} from "lucide-react";

export interface Place {
  href: string;
  name: string;
  icon: LucideIcon;
  operators?: boolean; // theirs alone
}

export interface Group {
  name: string;
  places: readonly Place[];
}

/** All pages of a signed-in person, in the order in which they are read. */
export const GROUPS: readonly Group[] = [
  {
    name: "See",
    places: [
      { href: "/overview/", name: "Overview", icon: ChartLine },
      { href: "/savings/", name: "Savings", icon: PiggyBank },
      { href: "/models/", name: "Models", icon: Boxes },
      { href: "/cache/", name: "Cache", icon: Database },
    ],
  },
  {
    name: "Work",
    places: [
      { href: "/jobs/", name: "Jobs", icon: ListChecks },
      { href: "/batches/", name: "Batches", icon: FileStack },
      { href: "/experiments/", name: "Experiments", icon: Beaker },
    ],
  },
  {
    name: "Set up",
    places: [
      { href: "/keys/", name: "API keys", icon: KeyRound },
      { href: "/webhooks/", name: "Webhooks", icon: Webhook },
      { href: "/budgets/", name: "Budgets", icon: Wallet },
      { href: "/members/", name: "Members", icon: Users },
      { href: "/settings/", name: "Settings", icon: Settings },
    ],
  },
  {
    name: "Operate",
    places: [
      { href: "/operator/", name: "Operator", icon: Wrench, operators: true },
      { href: "/start/", name: "Get started", icon: Gauge },
    ],
  },
];
