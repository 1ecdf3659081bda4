import { Ways } from "@/components/landing/header";
import { OneLine } from "@/components/landing/one-line";

export function Hero() {
  return (
    <section className="mx-auto grid max-w-6xl gap-10 px-4 py-12 sm:px-6 sm:py-20 lg:grid-cols-2 lg:items-center">
      <div className="grid min-w-0 gap-5">
        <h1 className="text-4xl font-semibold tracking-tight text-balance sm:text-5xl">
          Pay less for answers that are just as good
        </h1>
        <p className="max-w-prose text-lg text-muted-foreground">
          Send your prompts here instead of to a provider. What was asked before is answered from your own cache;
          everything else goes to the cheapest model that is good enough for it. And you see, measured, what that saves.
        </p>
        <Ways />
      </div>
      <OneLine />
    </section>
  );
}
