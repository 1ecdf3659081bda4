import { Link } from "@/components/ui/link";
import { Empty } from "@/components/ui/states";
import { Stat, Stats } from "@/components/ui/stat";
import { between, counted, type Savings } from "@/components/savings/words";
import { count, money, onDay, percent } from "@/lib/format";

/** The two results side by side, and of how much they are. */
export function Headline({ found }: { found: Savings }) {
  const { price_list: list, holdout } = found;
  if (list.answers === 0 && found.pending_events === 0) {
    return (
      <Empty title="There were no answers in this period">
        Savings show here within seconds of the first one. <Link className="text-primary underline" href="/start/">Send a request</Link>, or
        choose a longer period.
      </Empty>
    );
  }
  const { saved_cents: saved } = holdout;
  return (
    <div className="grid gap-2">
      <Stats>
        <Stat
          name="Saved, measured"
          value={saved ? money(saved.value) : holdout.status === "off" ? "Off" : "Not yet"}
          hint={saved ? `${percent(holdout.confidence)} interval: ${between(saved, money)}` : measurement(found)}
        />
        <Stat
          name="Saved, estimated"
          value={money(list.saved_cents)}
          hint={list.saved_share === null ? "against the price list" : `${percent(list.saved_share)} of the list price`}
        />
        <Stat name="Paid" value={money(list.cost_cents)} hint={`of it ${money(found.routing_cost.total_cents)} to find savings`} />
        <Stat name="Answers" value={count(list.answers)} hint={`since ${onDay(found.since)}`} />
      </Stats>
      {found.pending_events > 0 && (
        <p role="status" className="text-sm text-muted-foreground">
          {count(found.pending_events)} finished attempts are about to be booked; they are not in these figures yet.
        </p>
      )}
    </div>
  );
}

const measurement = ({ holdout }: Savings): string =>
  holdout.status === "off" ? "nothing is held out" : `${count(counted(holdout.baseline))} jobs held out so far`;
