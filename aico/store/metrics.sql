-- name: sums
with wanted as (
  select r.*, case %(by)s when '' then '' when 'provider' then split_part(r.name, '/', 1) else r.name end as called
  from public.metric_rollups r
  where r.tenant_id = %(tenant)s and r.grain = %(grain)s and r.dimension = %(dimension)s
    and r.bucket >= %(since)s and r.bucket < %(until)s
),
ranked as (
  select w.called, row_number() over (order by sum(w.cost_cents) desc, sum(w.requests) desc, w.called) as place
  from wanted w where w.called <> '(other)' group by w.called
),
named as (
  select w.*, k.place, case when k.place <= %(most)s then w.called else '(other)' end as shown,
    case when %(timed)s then w.bucket end as moment
  from wanted w left join ranked k on k.called = w.called
)
select s.*, ms[1] as latency_ms_p50, ms[2] as latency_ms_p95
from (
  select n.shown as name, n.moment as at, min(n.place) as place, sum(n.requests)::bigint as requests, sum(n.answered)::bigint as answered,
    sum(n.exact_hits)::bigint as exact_hits, sum(n.semantic_hits)::bigint as semantic_hits,
    sum(n.shared_hits)::bigint as shared_hits, sum(n.attempts)::bigint as attempts,
    sum(n.failed_attempts)::bigint as failed_attempts, sum(n.unpriced_attempts)::bigint as unpriced_attempts,
    sum(n.input_tokens)::bigint as input_tokens, sum(n.output_tokens)::bigint as output_tokens,
    sum(n.cost_cents) as cost_cents, sum(n.baseline_cost_cents) as baseline_cost_cents,
    private.latency_quantiles(sum(n.latency), array[0.5, 0.95]) as ms
  from named n
  group by n.shown, n.moment
) s
order by s.name = '(other)', s.place, s.at

-- name: seq
select coalesce((select t.seq from public.metric_ticks t where t.tenant_id = %(tenant)s), 0) as seq

-- name: tell
select told, next_in from private.tell_metrics(%(limit)s)

-- name: purge
select private.purge_metrics(%(seconds)s, %(minutes)s, %(limit)s) as purged
