-- name: spending
select r.kind, coalesce(sum(r.answered), 0)::bigint as answers, coalesce(sum(r.unpriced), 0)::bigint as unpriced_attempts,
  coalesce(sum(r.input_tokens + r.output_tokens), 0)::bigint as tokens, coalesce(sum(r.cost_cents), 0) as cost_cents,
  coalesce(sum(r.baseline_cost_cents), 0) as baseline_cost_cents,
  coalesce(sum(r.unpriced_baseline_cents), 0) as unpriced_baseline_cents
from public.rollups r
where r.tenant_id = %(tenant)s and r.grain = 'day' and r.bucket >= %(since)s and r.bucket < %(until)s
group by r.kind

-- name: arms
select r.arm, sum(r.answered)::bigint as answered, sum(r.failed)::bigint as failed, sum(r.unpriced)::bigint as unpriced,
  sum(r.cents)::float8 as cents, sum(r.cents_squared)::float8 as cents_squared,
  sum(r.latency_ms)::float8 as latency_ms, sum(r.latency_ms_squared)::float8 as latency_ms_squared,
  sum(r.judged)::bigint as judged, sum(r.quality)::float8 as quality, sum(r.quality_squared)::float8 as quality_squared
from public.arm_rollups r
where r.tenant_id = %(tenant)s and r.arm = any (%(arms)s::text[]) and r.day >= %(since)s and r.day < %(until)s
group by r.arm
