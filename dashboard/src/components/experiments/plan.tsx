import { type Experiment, type Guard, isRelative, METRICS, UNITS } from "@/components/experiments/words";
import { Card } from "@/components/ui/card";
import { Facts } from "@/components/ui/facts";
import { count, percent, when } from "@/lib/format";

const guardWords = ({ metric, margin }: Guard): string =>
  `${METRICS[metric].toLowerCase()} worse by more than ${isRelative(metric) ? percent(margin) : `${(100 * margin).toFixed(1)} points`}`;

const moment = (time: string | null) => (time === null ? undefined : when(time));

export function PlanCard({ experiment }: { experiment: Experiment }) {
  const { plan } = experiment;
  return (
    <Card title="Plan">
      <Facts
        facts={[
          ["It is about", METRICS[plan.primary]],
          ["Chance decides for", UNITS[experiment.unit]],
          ["Smallest change that matters", plan.minimum_effect > 0 ? percent(plan.minimum_effect) : "any"],
          ["Probability that an interval ever misses", percent(plan.alpha)],
          ["Observations of an arm at least", count(plan.minimum_per_arm)],
          ["Stops once decided", plan.stop_when_decided ? "yes" : "no"],
          ["Days at most", plan.max_days == null ? undefined : count(plan.max_days)],
          ["Jobs at most", plan.max_jobs == null ? undefined : count(plan.max_jobs)],
          ["An arm is ended when", plan.guards.length > 0 ? plan.guards.map(guardWords).join("; ") : undefined],
          ["Drafted", when(experiment.created_at)],
          ["Started", moment(experiment.started_at)],
          ["Stopped", moment(experiment.stopped_at)],
          ["Drafted by", experiment.created_by],
        ]}
      />
    </Card>
  );
}
