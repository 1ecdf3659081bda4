import Link from "next/link";

export default function Landing() {
  return (
    <main className="p-8">
      <Link href="/overview/">Dashboard</Link>
    </main>
  );
}
