-- How long so many of the jobs of such a histogram took at most, in milliseconds, for each of these growing shares of
-- them: the middle of the place by logarithm, at most 6 % beside the truth; above 70 minutes it says 67. Null: there are none.
create function private.latency_quantiles(histogram numeric, shares double precision[]) returns integer[]
language plpgsql immutable set search_path = '' as $$
declare
  digits constant text := histogram::text;
  places constant integer := (length(digits) + 11) / 12;
  asked integer := 1;
  found integer[] := array_fill(null::integer, array[cardinality(shares)]);
  held record;
begin
  for held in  -- cut up at once: to look for the place of each in so long a text takes several times as long
    select places - n as k, sum(m[1]::bigint) over () as jobs, sum(m[1]::bigint) over (order by n desc) as seen
    from regexp_matches(lpad(digits, places * 12, '0'), '.{12}', 'g') with ordinality as d (m, n)
    where m[1] <> '000000000000' order by n desc
  loop
    while asked <= cardinality(shares) and held.seen >= greatest(1, ceil(shares[asked] * held.jobs)) loop
      found[asked] := case held.k when 0 then 1 else round(2 ^ ((held.k - 0.5) / 6)) end;
      asked := asked + 1;
    end loop;
  end loop;
  return found;
end $$;

-- Ticks of tenants of which something changed, at most two a second for each, whoever else sends some: the newest of
-- their changed seconds, each whole, so that to hear of one twice does no harm. Five to a tick, which keeps it below
-- 2 kB; the rest goes with the next ones. A tenant that is just being booked is told the next time. Where there is no
-- Realtime, nobody is told. Returns how many were, and how many seconds later to come again; null: nothing has to be told.
create function private.tell_metrics(batch_size integer) returns table (told integer, next_in double precision)
language plpgsql volatile security definer set search_path = '' as $$
declare
  heard constant boolean := to_regprocedure('realtime.send(jsonb, text, text, boolean)') is not null;
  due record;
  newest timestamptz[];
begin
  told := 0;
  for due in
    select t.tenant_id, t.seq + 1 as seq, t.changed from public.metric_ticks t
    where t.changed <> '{}' and t.told_at <= clock_timestamp() - interval '500 milliseconds'
    order by t.told_at limit batch_size
    for no key update of t skip locked
  loop
    newest := array(select s from unnest(due.changed) s order by s desc limit 5);
    if heard then
      perform realtime.send(
        jsonb_build_object('seq', due.seq, 'at', private.iso(clock_timestamp(), 'MS'),
          'seconds', private.seconds_told(due.tenant_id, newest)),
        'tick', 'tenant:' || due.tenant_id || ':metrics', true);
    end if;
    update public.metric_ticks t
    set seq = due.seq, told_at = clock_timestamp(), changed = array(select unnest(due.changed) except select unnest(newest))
    where t.tenant_id = due.tenant_id;
    told := told + 1;
  end loop;
  select extract(epoch from greatest(min(t.told_at) + interval '500 milliseconds' - clock_timestamp(), '0')) into next_in
  from public.metric_ticks t where t.changed <> '{}'
  having count(*) > 0;
  return next;
end $$;

create function private.iso(moment timestamptz, fraction text) returns text
language sql stable set search_path = '' as $$
  select to_char(moment at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS' || case fraction when '' then '' else '.' || fraction end || '"Z"')
$$;

-- Oldest first. One range of the rollups' key a second.
create function private.seconds_told(tenant uuid, seconds timestamptz[]) returns jsonb
language sql stable set search_path = '' as $$
  select coalesce(jsonb_agg(jsonb_build_object(
    'at', private.iso(s.bucket, ''), 'requests', s.requests, 'answered', s.answered, 'failed', s.requests - s.answered,
    'hits', jsonb_build_object('exact', s.exact_hits, 'semantic', s.semantic_hits, 'shared', s.shared_hits),
    'cost_cents', trim_scale(s.cost_cents)::text, 'baseline_cost_cents', trim_scale(s.baseline_cost_cents)::text,
    'input_tokens', s.input_tokens, 'output_tokens', s.output_tokens,
    'latency_ms_p50', s.ms[1], 'latency_ms_p95', s.ms[2]) order by s.bucket), '[]')
  from (
    select r.bucket, sum(r.requests)::bigint as requests, sum(r.answered)::bigint as answered,
      sum(r.exact_hits)::bigint as exact_hits, sum(r.semantic_hits)::bigint as semantic_hits,
      sum(r.shared_hits)::bigint as shared_hits, sum(r.cost_cents) as cost_cents,
      sum(r.baseline_cost_cents) as baseline_cost_cents, sum(r.input_tokens)::bigint as input_tokens,
      sum(r.output_tokens)::bigint as output_tokens, private.latency_quantiles(sum(r.latency), array[0.5, 0.95]) as ms
    from public.metric_rollups r
    where r.tenant_id = tenant and r.grain = 'second' and r.dimension = 'lever' and r.bucket = any (seconds)
    group by r.bucket
  ) s
$$;

-- Deletes up to so many rows of seconds and minutes that are kept no longer. O(batch_size).
create function private.purge_metrics(seconds_kept interval, minutes_kept interval, batch_size integer) returns bigint
language sql volatile security definer set search_path = '' as $$
  with old as (
    delete from public.metric_rollups r
    using (
      select o.tenant_id, o.grain, o.dimension, o.bucket, o.name
      from (
        (select * from public.metric_rollups s
          where s.grain = 'second' and s.bucket < now() - seconds_kept order by s.bucket limit batch_size)
        union all
        (select * from public.metric_rollups m
          where m.grain = 'minute' and m.bucket < now() - minutes_kept order by m.bucket limit batch_size)
      ) o limit batch_size
    ) o
    where (r.tenant_id, r.grain, r.dimension, r.bucket, r.name) = (o.tenant_id, o.grain, o.dimension, o.bucket, o.name)
    returning 1
  )
  select count(*) from old
$$;

-- What `reprice` changes of the ledger is changed here too. Of a job that is gone nobody knows the tags any more.
create function private.correct_metrics() returns trigger
language plpgsql set search_path = '' as $$
begin
  perform private.add_metrics(array_agg((c.tenant_id, c.second, c.kind, c.batch, c.provider, c.model, c.route, c.tags, 0, 0, 0, 0,
    c.unpriced, 0, 0, c.cost, c.baseline, 0)::private.metric_cell))
  from (
    select f.tenant_id, private.second_of(f.kind, f.at, f.latency_ms) as second, f.kind, f.batch, f.provider, f.model,
      coalesce(f.strategy, '') as route, coalesce(j.tags, '{}') as tags,
      sum((f.cost_cents is null)::integer - (s.cost_cents is null)::integer) as unpriced,
      sum(coalesce(f.cost_cents, 0) - coalesce(s.cost_cents, 0)) as cost,
      sum(case when f.cost_cents is null then 0 else coalesce(f.baseline_cost_cents, 0) end
        - case when s.cost_cents is null then 0 else coalesce(s.baseline_cost_cents, 0) end) as baseline
    from fresh f join stale s on (s.tenant_id, s.at, s.id) = (f.tenant_id, f.at, f.id)
    left join public.jobs j on j.tenant_id = f.tenant_id and j.id = f.job_id
    where (f.cost_cents, f.baseline_cost_cents) is distinct from (s.cost_cents, s.baseline_cost_cents)
      and f.concludes is not null  -- a call that was booked before there were these sums is in none of them
    group by 1, 2, 3, 4, 5, 6, 7, 8
  ) c
  having count(*) > 0;
  return null;
end $$;
create trigger correct_metrics after update on public.ledger_attempts
  referencing old table as stale new table as fresh for each statement execute function private.correct_metrics();

-- The operator's sums know the lever too: one definition for both.
alter table private.totals add column lever text;
update private.totals set lever = private.lever(kind, false);
alter table private.totals alter column lever set not null;
alter table private.totals drop constraint totals_pkey, add primary key (kind, outcome, provider, model, lever);

-- As before, with the lever.
create or replace function private.add_totals(sums jsonb) returns void
language sql volatile security definer set search_path = '' as $$
  with incoming as (
    select s.*, exists (
      select from private.totals t
      where (t.kind, t.outcome, t.provider, t.model, t.lever) = (s.kind, s.outcome, s.provider, s.model, s.lever)
    ) as known
    from jsonb_populate_recordset(null::private.totals, sums) s
  ),
  ranked as (
    select i.*, i.known or (select count(*) from private.totals)
      + row_number() over (partition by i.known order by i.kind, i.outcome, i.provider, i.model, i.lever) <= 200 as named
    from incoming i
  ),
  bounded as (
    select r.kind, r.outcome, case when r.named then r.provider else 'other' end as provider,
      case when r.named then r.model else 'other' end as model, r.lever, r.attempts, r.unpriced, r.input_tokens,
      r.output_tokens, r.cost_cents, r.baseline_cost_cents, r.saved_cents, r.overspent_cents
    from ranked r
  )
  insert into private.totals as t (kind, outcome, provider, model, lever, attempts, unpriced, input_tokens, output_tokens,
    cost_cents, baseline_cost_cents, saved_cents, overspent_cents)
  select b.kind, b.outcome, b.provider, b.model, b.lever, sum(b.attempts), sum(b.unpriced), sum(b.input_tokens),
    sum(b.output_tokens), sum(b.cost_cents), sum(b.baseline_cost_cents), sum(b.saved_cents), sum(b.overspent_cents)
  from bounded b
  group by b.kind, b.outcome, b.provider, b.model, b.lever
  order by b.kind, b.outcome, b.provider, b.model, b.lever
  on conflict (kind, outcome, provider, model, lever) do update set
    attempts = t.attempts + excluded.attempts,
    unpriced = t.unpriced + excluded.unpriced,
    input_tokens = t.input_tokens + excluded.input_tokens,
    output_tokens = t.output_tokens + excluded.output_tokens,
    cost_cents = t.cost_cents + excluded.cost_cents,
    baseline_cost_cents = t.baseline_cost_cents + excluded.baseline_cost_cents,
    saved_cents = t.saved_cents + excluded.saved_cents,
    overspent_cents = t.overspent_cents + excluded.overspent_cents
$$;

do $$
declare
  noun text;
begin
  foreach noun in array array['metric_rollups', 'metric_ticks'] loop
    execute format('alter table public.%I enable row level security', noun);
    execute format('alter table public.%I force row level security', noun);
    execute format(
      'create policy member_reads on public.%I for select to authenticated
         using (tenant_id = any (array(select private.my_tenants())))', noun);
    execute format(
      'create policy service_works on public.%I for all to aico_service
         using (tenant_id = any (array(select private.service_tenants())))
         with check (tenant_id = any (array(select private.service_tenants())))', noun);
    execute format('revoke all on public.%I from public, anon, authenticated', noun);
    execute format('grant select on public.%I to authenticated', noun);
    execute format('grant select, insert, update, delete on public.%I to aico_service', noun);
  end loop;
end $$;

do $$
declare
  made regprocedure;
begin
  foreach made in array array[
    'private.lever(text, boolean)', 'private.second_of(text, timestamptz, integer)',
    'private.add_metrics(private.metric_cell[])', 'private.latency_quantiles(numeric, double precision[])',
    'private.tell_metrics(integer)', 'private.iso(timestamptz, text)', 'private.seconds_told(uuid, timestamptz[])',
    'private.purge_metrics(interval, interval, integer)', 'private.correct_metrics()'
  ]::regprocedure[] loop
    execute format('revoke execute on function %s from public, anon, authenticated', made);
    execute format('grant execute on function %s to aico_service', made);
  end loop;
end $$;
