import { Calculator } from "@/components/landing/calculator";
import { Footer } from "@/components/landing/footer";
import { Header } from "@/components/landing/header";
import { Hero } from "@/components/landing/hero";
import { Proofs } from "@/components/landing/proofs";

export default function Landing() {
  return (
    <>
      <Header />
      <main>
        <Hero />
        <Proofs />
        <section
          id="calculator"
          aria-labelledby="calculator-title"
          className="mx-auto grid max-w-6xl scroll-mt-4 gap-6 px-4 py-12 sm:px-6 sm:py-16"
        >
          <div>
            <h2 id="calculator-title" className="text-2xl font-semibold tracking-tight">
              What would it save you?
            </h2>
            <p className="mt-2 max-w-prose text-muted-foreground">
              Two ways to find out before you change anything. Afterwards the holdout tells you what it really was.
            </p>
          </div>
          <Calculator />
        </section>
      </main>
      <Footer />
    </>
  );
}
