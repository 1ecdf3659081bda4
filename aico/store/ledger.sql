-- name: book
with taken as (
  delete from public.ledger_outbox
  where tenant_id = any (%(tenants)s::uuid[]) and job_id = any (%(jobs)s::uuid[])
  returning *
),
booked as (
  insert into public.ledger_attempts select * from taken
  on conflict do nothing
  returning *
),
grains as (
  select tenant_id, grain, date_trunc(grain, at, 'UTC') as bucket, kind, provider, model,
    count(*) as attempts,
    count(*) filter (where outcome = 'ok') as answered,
    count(*) filter (where outcome <> 'ok') as failed,
    count(*) filter (where cost_cents is null) as unpriced,
    sum(input_uncached + cache_read + cache_write) as input_tokens,
    sum(output) as output_tokens,
    coalesce(sum(cost_cents), 0) as cost_cents,
    coalesce(sum(baseline_cost_cents), 0) as baseline_cost_cents,
    sum(latency_ms) as latency_ms_sum,
    coalesce(sum(baseline_cost_cents) filter (where cost_cents is null), 0) as unpriced_baseline_cents,
    coalesce(sum(cost_cents) filter (where key_source = 'tenant'), 0) as own_key_cents
  from booked, unnest(array['minute', 'day']) as grain
  group by tenant_id, grain, bucket, kind, provider, model
  order by tenant_id, grain, bucket, kind, provider, model
),
rolled as (
  insert into public.rollups as r (tenant_id, grain, bucket, kind, provider, model, attempts, answered, failed,
    unpriced, input_tokens, output_tokens, cost_cents, baseline_cost_cents, latency_ms_sum, unpriced_baseline_cents,
    own_key_cents)
  select * from grains
  on conflict (tenant_id, grain, bucket, kind, provider, model) do update set
    attempts = r.attempts + excluded.attempts,
    answered = r.answered + excluded.answered,
    failed = r.failed + excluded.failed,
    unpriced = r.unpriced + excluded.unpriced,
    input_tokens = r.input_tokens + excluded.input_tokens,
    output_tokens = r.output_tokens + excluded.output_tokens,
    cost_cents = r.cost_cents + excluded.cost_cents,
    baseline_cost_cents = r.baseline_cost_cents + excluded.baseline_cost_cents,
    latency_ms_sum = r.latency_ms_sum + excluded.latency_ms_sum,
    unpriced_baseline_cents = r.unpriced_baseline_cents + excluded.unpriced_baseline_cents,
    own_key_cents = r.own_key_cents + excluded.own_key_cents
  returning 1
),
armed as (
  select tenant_id, arm, (at at time zone 'UTC')::date as day,
    count(*) filter (where outcome = 'ok') as answered,
    count(*) filter (where outcome <> 'ok') as failed,
    -- A call that failed without any tokens has no price to be known.
    count(*) filter (where cost_cents is null
      and (outcome = 'ok' or input_uncached + cache_read + cache_write + output > 0)) as unpriced,
    sum(job_cents) as cents,
    sum(job_cents * job_cents) as cents_squared,
    coalesce(sum(baseline_cost_cents), 0) as baseline_cents,
    coalesce(sum(latency_ms) filter (where outcome = 'ok'), 0) as latency_ms,
    coalesce(sum(latency_ms::numeric * latency_ms) filter (where outcome = 'ok'), 0) as latency_ms_squared
  from booked, unnest(arms) as arm
  where job_cents is not null
  group by tenant_id, arm, day
  order by tenant_id, arm, day
),
arms_rolled as (
  insert into public.arm_rollups as r (tenant_id, arm, day, answered, failed, unpriced, cents, cents_squared,
    baseline_cents, latency_ms, latency_ms_squared)
  select * from armed
  on conflict (tenant_id, arm, day) do update set
    answered = r.answered + excluded.answered,
    failed = r.failed + excluded.failed,
    unpriced = r.unpriced + excluded.unpriced,
    cents = r.cents + excluded.cents,
    cents_squared = r.cents_squared + excluded.cents_squared,
    baseline_cents = r.baseline_cents + excluded.baseline_cents,
    latency_ms = r.latency_ms + excluded.latency_ms,
    latency_ms_squared = r.latency_ms_squared + excluded.latency_ms_squared
  returning 1
),
drawn as materialized (  -- experiments on what makes several jobs, which so stay until this is done
  select e.tenant_id, e.id, e.unit, e.arms from public.experiments e
  where e.tenant_id = any (%(tenants)s::uuid[]) and e.unit <> 'job' and (e.tenant_id, e.id) in (
    select b.tenant_id, private.experiment_of(arm) from booked b, unnest(b.arms) as arm where b.job_cents is not null)
  for key share
),
by_unit as (
  select d.tenant_id, d.id, coalesce(case when d.unit = 'key' then b.api_key_id::text end, j.assigned ->> 'user') as unit,
    min(substr(arm, 38)) as arm, min(b.at) as at, count(*) as jobs, count(*) filter (where b.outcome <> 'ok') as failed,
    sum(b.job_cents) as cents, coalesce(sum(b.latency_ms) filter (where b.outcome = 'ok'), 0) as latency_ms
  from drawn d
  join booked b on b.tenant_id = d.tenant_id and b.job_cents is not null
  cross join lateral unnest(b.arms) as arm
  left join public.jobs j on d.unit = 'user' and j.tenant_id = b.tenant_id and j.id = b.job_id
  where private.experiment_of(arm) = d.id
  group by 1, 2, 3
),
units_booked as (
  insert into public.assignments as a (tenant_id, experiment_id, unit, arm, propensity, assigned_at, jobs, failed, cents,
    latency_ms)
  select u.tenant_id, u.id, u.unit, u.arm, private.propensity_of(d.arms, u.arm), u.at, u.jobs, u.failed, u.cents,
    u.latency_ms
  from by_unit u join drawn d on (d.tenant_id, d.id) = (u.tenant_id, u.id)
  where u.unit is not null
  order by u.tenant_id, u.id, u.unit
  on conflict (tenant_id, experiment_id, unit) do update set
    jobs = a.jobs + excluded.jobs,
    failed = a.failed + excluded.failed,
    cents = a.cents + excluded.cents,
    latency_ms = a.latency_ms + excluded.latency_ms
),
hit as materialized (  -- the entries that were served again; locked in the order in which they are written
  select e.tenant_id, e.id, h.hits, h.at
  from (
    select b.tenant_id, s.served_from, count(*) as hits, max(b.at) as at
    from booked b
    cross join lateral (
      select j.served_from from public.jobs j where j.tenant_id = b.tenant_id and j.id = b.job_id limit 1) s
    where b.kind in ('exact_hit', 'semantic_hit') and s.served_from is not null
    group by b.tenant_id, s.served_from
  ) h
  join public.cache_entries e on e.tenant_id = h.tenant_id and e.job_id = h.served_from
  order by e.tenant_id, e.fingerprint
  for no key update of e
),
hits_counted as (
  update public.cache_entries e
  set hits = e.hits + h.hits,
    -- To the minute: it is indexed, and an entry that is served all the time must not move in the index all the time.
    hit_at = case when e.hit_at > h.at - interval '1 minute' then e.hit_at else h.at end
  from hit h where e.tenant_id = h.tenant_id and e.id = h.id
),
cells as (  -- what ended in one second and is alike
  select b.tenant_id, private.second_of(b.kind, b.at, b.latency_ms) as second, b.kind, b.batch, b.provider, b.model,
    coalesce(b.strategy, '') as route, coalesce(j.tags, '{}') as tags,
    count(*) filter (where e.ends) as requests,
    count(*) filter (where e.answers) as answered,
    count(*) as attempts,
    count(*) filter (where b.outcome <> 'ok') as failed_attempts,
    count(*) filter (where b.cost_cents is null) as unpriced_attempts,
    sum(b.input_uncached + b.cache_read + b.cache_write) as input_tokens,
    sum(b.output) as output_tokens,
    coalesce(sum(b.cost_cents), 0) as cost_cents,
    coalesce(sum(b.baseline_cost_cents) filter (where b.cost_cents is not null), 0) as baseline_cost_cents,
    coalesce(count(*) * ('1e' || 12 * e.place)::numeric, 0) as latency
  from booked b
  left join lateral (
    select t.tags, t.class, t.status, t.finished_at - t.created_at as took from public.jobs t
    where t.tenant_id = b.tenant_id and t.id = b.job_id limit 1
  ) j on true
  cross join lateral (
    select b.outcome <> 'cancelled' and coalesce(b.concludes,
      b.kind in ('exact_hit', 'shared') or b.outcome = 'lost' and j.status in ('failed', 'expired')) as ends
  ) c
  cross join lateral (  -- what was answered may have been a draft that did not pass, and nothing after it
    select c.ends and b.outcome = 'ok' and coalesce(j.status, 'completed') in ('completed', 'incomplete') as answers
  ) a
  cross join lateral (
    -- As its caller felt it, where the job is still there. Nobody waits for a batch.
    select c.ends, a.answers, case when a.answers and not b.batch and j.class is distinct from 'batch'
      then least(132, ceil(6 / ln(2.0::float8)
        * ln(greatest(1, coalesce(extract(epoch from j.took) * 1000, b.latency_ms))::float8)))::integer end as place
  ) e
  group by b.tenant_id, second, b.kind, b.batch, b.provider, b.model, route, j.tags, e.place
),
measured as (  -- after the rollups: what is priced anew is locked in this order too
  select private.add_metrics(array_agg(c::private.metric_cell)) from cells c
  where (select count(*) from rolled) >= 0 and (select count(*) from arms_rolled) >= 0 having count(*) > 0
),
sums as (
  select kind, outcome, provider, model, private.lever(kind, batch) as lever, count(*) as attempts,
    count(*) filter (where cost_cents is null) as unpriced,
    sum(input_uncached + cache_read + cache_write) as input_tokens, sum(output) as output_tokens,
    coalesce(sum(cost_cents), 0) as cost_cents, coalesce(sum(baseline_cost_cents), 0) as baseline_cost_cents,
    coalesce(sum(greatest(coalesce(baseline_cost_cents, 0) - cost_cents, 0)), 0) as saved_cents,
    coalesce(sum(greatest(cost_cents - coalesce(baseline_cost_cents, 0), 0)), 0) as overspent_cents
  from booked
  group by kind, batch, outcome, provider, model
),
totalled as (
  select private.add_totals(jsonb_agg(s)) from sums s
),
unpriced as (
  select distinct tenant_id, (at at time zone 'UTC')::date as day, provider, model,
    case when input_uncached + cache_read + cache_write + output > 0 then 'price' else 'usage' end as missing
  from booked where kind not in ('exact_hit', 'semantic_hit', 'shared') and outcome = 'ok' and cost_cents is null
  order by tenant_id, day, provider, model, missing
),
told as (
  select private.raise_alert(tenant_id, %(price_unknown)s, concat_ws(' ', day, provider, model, missing),
    jsonb_build_object('day', day, 'provider', provider, 'model', model, 'missing', missing,
      'explanation', %(explanations)s::jsonb ->> missing))
  from unpriced
),
pairs as (
  select coalesce(
    jsonb_agg(jsonb_build_array(provider, model, text_tokens, input_uncached + cache_read + cache_write)), '[]') as pairs
  from booked
  where outcome = 'ok' and text_tokens is not null and input_uncached + cache_read + cache_write > 0
)
select count(*) as booked, (select pairs from pairs) as pairs
from booked
where (select count(*) from totalled) = 1 and (select count(*) from told) >= 0 and (select count(*) from measured) >= 0

-- name: of_job
-- By the index on jobs, in the partitions since the job's beginning. Workers' clocks may be behind the database's.
select id, at, kind, outcome, provider, model, latency_ms, input_uncached + cache_read + cache_write as input_tokens,
  cache_read as cached_tokens, output as output_tokens, cost_cents, http_status, error, similarity, batch, key_source
from (
  select id, at, kind, outcome, provider, model, latency_ms, input_uncached, cache_read, cache_write, output,
    cost_cents, http_status, error, similarity, batch, key_source
  from public.ledger_attempts
  where tenant_id = %(tenant)s and job_id = %(job)s and at >= %(since)s::timestamptz - interval '1 hour'
  union all
  select id, at, kind, outcome, provider, model, latency_ms, input_uncached, cache_read, cache_write, output,
    cost_cents, http_status, error, similarity, batch, key_source
  from public.ledger_outbox
  where tenant_id = %(tenant)s and job_id = %(job)s
) a
order by at, id
limit %(limit)s

-- name: late
select tenant_id, job_id from private.late_events(make_interval(secs => %(quiet)s), %(limit)s)

-- name: summary
select kind, provider, model, sum(attempts)::bigint as attempts, sum(answered)::bigint as answered,
  sum(failed)::bigint as failed, sum(unpriced)::bigint as unpriced, sum(input_tokens)::bigint as input_tokens,
  sum(output_tokens)::bigint as output_tokens, sum(cost_cents) as cost_cents,
  sum(baseline_cost_cents) as baseline_cost_cents, sum(latency_ms_sum)::bigint as latency_ms_sum
from public.rollups
where tenant_id = %(tenant)s and grain = %(grain)s and bucket >= %(since)s and bucket < %(until)s
group by kind, provider, model
order by cost_cents desc, provider, model, kind

-- name: pending
select count(*) as pending from public.ledger_outbox where tenant_id = %(tenant)s

-- name: ensure_partitions
select private.ensure_ledger_partitions()
