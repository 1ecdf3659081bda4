import { type Comparison, effectWords, isRelative, type Metric, METRICS, rangeWords, VERDICTS } from "@/components/experiments/words";
import { Badge } from "@/components/ui/badge";
import { Card } from "@/components/ui/card";

type Estimate = NonNullable<Comparison["difference"]>;

const FURTHEST = 2; // an interval that reaches further is cut in the picture; its figures stand beside it

const effectOf = (comparison: Comparison): Estimate | null =>
  isRelative(comparison.metric) ? comparison.change : comparison.difference;

interface Scale {
  low: number;
  high: number;
}

/** From the least to the most of all intervals of a metric, and zero, with a little room. */
function scaleOf(estimates: readonly Estimate[], minimumEffect: number): Scale {
  const ends = [0, -minimumEffect, minimumEffect, ...estimates.flatMap(({ low, high }) => [low, high])];
  const low = Math.max(Math.min(...ends), -FURTHEST);
  const high = Math.min(Math.max(...ends), FURTHEST);
  const room = (high - low || 1) * 0.05;
  return { low: low - room, high: high + room };
}

/** In percent of the width. */
function placeOf(scale: Scale, value: number): number {
  return 100 * Math.min(1, Math.max(0, (value - scale.low) / (scale.high - scale.low)));
}

/** One interval about its estimate, with a line at zero and a band of what does not matter. For the eye alone. */
function Interval({ estimate, scale, minimumEffect }: { estimate: Estimate; scale: Scale; minimumEffect: number }) {
  const [low, high] = [placeOf(scale, estimate.low), placeOf(scale, estimate.high)];
  const [near, far] = [placeOf(scale, -minimumEffect), placeOf(scale, minimumEffect)];
  return (
    <div className="relative h-7 min-w-20" aria-hidden>
      <div className="absolute inset-y-0 bg-muted" style={{ left: `${near}%`, width: `${far - near}%` }} />
      <div className="absolute inset-y-0 w-px bg-muted-foreground" style={{ left: `${placeOf(scale, 0)}%` }} />
      <div className="absolute top-1/2 h-1 -translate-y-1/2 rounded bg-chart-1" style={{ left: `${low}%`, width: `${high - low}%` }} />
      <div
        className="absolute top-1/2 size-2.5 -translate-1/2 rounded-full bg-foreground"
        style={{ left: `${placeOf(scale, estimate.value)}%` }}
      />
    </div>
  );
}

function Row({ comparison, scale, minimumEffect }: { comparison: Comparison; scale: Scale; minimumEffect: number }) {
  const estimate = effectOf(comparison);
  const { metric } = comparison;
  const verdict = VERDICTS[comparison.verdict];
  const words = (value: number) => effectWords(metric, value);
  return (
    <tr className="border-b last:border-0">
      <th scope="row" className="max-w-48 min-w-24 px-2 py-2 text-left font-normal wrap-anywhere">
        <span className="mb-1 block">{comparison.arm}</span>
        <Badge tone={verdict.tone}>{verdict.name}</Badge>
      </th>
      <td className="w-1/2 px-2 py-2">{estimate && <Interval estimate={estimate} scale={scale} minimumEffect={minimumEffect} />}</td>
      <td className="px-2 py-2 tabular-nums sm:whitespace-nowrap">
        {estimate ? (
          <>
            {words(estimate.value)}
            <span className="block text-xs text-muted-foreground">{rangeWords(words(estimate.low), words(estimate.high))}</span>
          </>
        ) : (
          <span className="text-muted-foreground">Not known yet</span>
        )}
      </td>
    </tr>
  );
}

interface Props {
  metric: Metric;
  comparisons: readonly Comparison[];
  minimumEffect: number; // 0 for what the experiment is not about
}

/** How each arm differs from the control in one metric. */
export function Intervals({ metric, comparisons, minimumEffect }: Props) {
  const scale = scaleOf(comparisons.map(effectOf).filter((one) => one !== null), minimumEffect);
  const less = metric === "quality" ? "More is better" : "Less is better";
  const unit = isRelative(metric) ? "as a share of the control's mean" : "in points of 100";
  return (
    <Card title={METRICS[metric]} hint={`Against the control, ${unit}. ${less}.`}>
      <div className="overflow-x-auto" tabIndex={0} role="region" aria-label={`${METRICS[metric]} against the control`}>
        <table className="w-full text-sm">
          <thead>
            <tr className="border-b text-left text-muted-foreground">
              {["Arm", "Interval", "Difference"].map((name) => (
                <th key={name} scope="col" className="px-2 py-2 font-medium">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {comparisons.map((comparison) => (
              <Row key={comparison.arm} comparison={comparison} scale={scale} minimumEffect={minimumEffect} />
            ))}
          </tbody>
        </table>
      </div>
      <ul className="mt-3 space-y-1 text-sm text-muted-foreground wrap-anywhere">
        {comparisons.map((comparison) => (
          <li key={comparison.arm}>{comparison.says}</li>
        ))}
      </ul>
    </Card>
  );
}
