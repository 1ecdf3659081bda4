import { classes } from "@/lib/classes";

interface Props {
  name: string; // for those who do not see it
  told: string; // the shares in words
  full: number; // 0 to 1
  held?: number; // 0 to 1, after `full`
}

const NEARLY = 0.8;

/** How full something is. What it says stands in words beside it too: colour alone tells nothing. */
export function Bar({ name, told, full, held = 0 }: Props) {
  const first = Math.min(Math.max(full, 0), 1);
  const second = Math.min(Math.max(held, 0), 1 - first);
  const tone = first + second >= 1 ? "bg-danger" : first + second >= NEARLY ? "bg-warning" : "bg-primary";
  return (
    <div
      role="meter"
      aria-label={name}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round((first + second) * 100)}
      aria-valuetext={told}
      className="flex h-2 overflow-hidden rounded-full bg-muted"
    >
      <div className={tone} style={{ width: `${first * 100}%` }} />
      <div className={classes(tone, "opacity-50")} style={{ width: `${second * 100}%` }} />
    </div>
  );
}
