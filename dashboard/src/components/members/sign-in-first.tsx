import Link from "next/link";
import { Button } from "@/components/ui/button";

export function SignInFirst() {
  return (
    <>
      <p className="text-sm">Sign in with the address that was invited. You come back here then.</p>
      <Button asChild look="primary" className="justify-self-start">
        <Link href="/sign-in/?next=/invitation/">Sign in</Link>
      </Button>
    </>
  );
}
