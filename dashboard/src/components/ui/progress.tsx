/** How much of a whole is done, and how much of that went wrong. */
export function Progress({ label, total, done, failed = 0 }: { label: string; total: number; done: number; failed?: number }) {
  const share = (part: number) => `${total > 0 ? (100 * part) / total : 0}%`;
  return (
    <div
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={total}
      aria-valuenow={done + failed}
      aria-valuetext={`${done + failed} of ${total}${failed ? `, ${failed} failed` : ""}`}
      className="flex h-2 w-full min-w-16 overflow-hidden rounded-full bg-muted"
    >
      <div className="bg-success transition-[width]" style={{ width: share(done) }} />
      <div className="bg-danger transition-[width]" style={{ width: share(failed) }} />
    </div>
  );
}
