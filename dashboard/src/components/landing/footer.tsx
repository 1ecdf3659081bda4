import Link from "next/link";

const LINK = "underline underline-offset-4 hover:no-underline";

export function Footer() {
  return (
    <footer className="border-t">
      <div className="mx-auto flex max-w-6xl flex-wrap gap-x-6 gap-y-2 px-4 py-6 text-sm text-muted-foreground sm:px-6">
        <span className="mr-auto">AI Cost Optimizer, under the Apache Licence 2.0</span>
        <Link href="/sign-in/" prefetch={false} className={LINK}>
          Sign in
        </Link>
      </div>
    </footer>
  );
}
