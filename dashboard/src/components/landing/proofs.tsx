import { ChartNoAxesCombined, Clock, Database, type LucideIcon, Route, ShieldCheck, Users } from "lucide-react";

interface Proof {
  icon: LucideIcon;
  title: string;
  what: string;
  measured: string;
  page: string; // of the documentation, in the source folder
}

const PROOFS: readonly Proof[] = [
  {
    icon: Database,
    title: "A cache that knows how often it is wrong",
    what:
      "The same question is answered again without a call, also in other words. You say how often such an " +
      "answer may be wrong, 1% if you say nothing. Samples are judged all the time, and where there is " +
      "doubt nothing is served.",
    measured:
      "5,000 support questions, an unerring judge, 1% allowed: in the second half 25.9% served by meaning, " +
      "0.41% of these wrongly. A plain cosine of 0.95: 14.4% and 1.67%.",
    page: "docs/caching.md",
  },
  {
    icon: Users,
    title: "One call for many askers",
    what:
      "A hundred programs ask the same thing at once: one call is made, and all of them have its answer, " +
      "also as a stream. Each bears its share of the cost.",
    measured:
      "Of a tenant’s jobs with the same question, one at a time is at a provider, through whatever door " +
      "they came.",
    page: "docs/single-flight.md",
  },
  {
    icon: Route,
    title: "Routing that learns from you",
    what:
      "Thumbs, comparisons by a judge and what your programs do next teach which model is good enough for " +
      "which prompt. Each answer says why its model was chosen.",
    measured:
      "Nine models, published outcomes, 1,000 prompts to learn from: the best model’s quality at 40.4% of " +
      "its cost.",
    page: "docs/routing.md",
  },
  {
    icon: Clock,
    title: "Discounts for what can wait",
    what:
      "Say until when an answer is wanted. Work with an hour to spare goes into providers’ batches at their" +
      " discount, and what they do not return in time is called directly.",
    measured:
      "A batch is charged at half the list price where a provider says nothing else; ask for a quote before" +
      " you send.",
    page: "docs/pricing.md",
  },
  {
    icon: ChartNoAxesCombined,
    title: "Savings that are measured",
    what:
      "Chance keeps a small share of your jobs away from cache and routing. What the others cost is " +
      "compared with these, with an interval, less what routing itself costs.",
    measured: "1% is held out; you may change that. Until both sides have 30 jobs, no figure is shown.",
    page: "docs/savings.md",
  },
  {
    icon: ShieldCheck,
    title: "No accepted job is lost",
    what:
      "A prompt that was accepted is a row in Postgres. Workers, queue, API or database may be killed: it " +
      "still gets its answer, and only one.",
    measured:
      "22,501 jobs at 200 a second, while every part was killed and every kind of failure of a provider was" +
      " played: 22,501 answered, none lost. 24 took a second call.",
    page: "README.md",
  },
];

export function Proofs() {
  return (
    <section aria-labelledby="proofs" className="border-y bg-card">
      <div className="mx-auto grid max-w-6xl gap-8 px-4 py-12 sm:px-6 sm:py-16">
        <div>
          <h2 id="proofs" className="text-2xl font-semibold tracking-tight">
            What it does, and how that was checked
          </h2>
          <p className="mt-2 max-w-prose text-muted-foreground">
            Measured figures come from runs that you can repeat. The page of the documentation that is named beside each
            says how, and what it does not show.
          </p>
        </div>
        <ul className="grid gap-x-8 gap-y-10 sm:grid-cols-2 lg:grid-cols-3">
          {PROOFS.map(({ icon: Icon, title, what, measured, page }) => (
            <li key={title} className="grid content-start gap-2">
              <Icon className="size-6 text-primary" aria-hidden />
              <h3 className="font-semibold">{title}</h3>
              <p className="text-sm">{what}</p>
              <p className="border-l-2 border-primary pl-3 text-sm text-muted-foreground">
                {measured} <span className="whitespace-nowrap">({page})</span>
              </p>
            </li>
          ))}
        </ul>
      </div>
    </section>
  );
}
