-- What a dashboard shows: sums of what ended in each second, minute and day, and word to whoever looks at it.

-- Whether the job ended with this attempt; null: what its kind says.
alter table public.ledger_attempts add column concludes boolean;
alter table public.ledger_outbox add column concludes boolean;

-- One row for each name along a dimension, so that its rows grow with names and not with their combinations. Those of
-- `lever` add up to the tenant's sums: each attempt has exactly one. A job with several tags is in the sums of each.
create table public.metric_rollups (
  tenant_id uuid not null references public.tenants on delete cascade,
  grain text not null check (grain in ('second', 'minute', 'day')),
  dimension text not null check (dimension in ('lever', 'model', 'route', 'tag')),
  bucket timestamptz not null,            -- in which the attempts ended, UTC
  name text not null,                     -- of a model: its provider, a slash, and its own
  requests bigint not null default 0,     -- jobs that ended with such an attempt, but for cancelled ones
  answered bigint not null default 0,
  exact_hits bigint not null default 0,
  semantic_hits bigint not null default 0,
  shared_hits bigint not null default 0,
  attempts bigint not null default 0,
  failed_attempts bigint not null default 0,
  unpriced_attempts bigint not null default 0,
  input_tokens bigint not null default 0,
  output_tokens bigint not null default 0,
  cost_cents numeric(24, 6) not null default 0,
  baseline_cost_cents numeric(24, 6) not null default 0,  -- of attempts whose own cost is known: the difference is the saving
  -- Of answered jobs that somebody waited for, a histogram as one number: place k, from 0, holds jobs that took up to
  -- 2^(k/6) ms in the twelve decimal digits from 10^(12k) on. So `+` and `sum` merge histograms exactly.
  latency numeric not null default 0,
  primary key (tenant_id, grain, dimension, bucket, name)
) with (fillfactor = 70);
create index metric_rollups_age on public.metric_rollups (grain, bucket) where grain <> 'day';

-- What a tenant has been told, and which seconds it has not. A row of a quiet tenant is in no index but the key.
create table public.metric_ticks (
  tenant_id uuid primary key references public.tenants on delete cascade,
  seq bigint not null default 0,          -- of the last tick; the next one's is higher by one
  told_at timestamptz not null default 'epoch',
  changed timestamptz[] not null default '{}'
);
create index metric_ticks_due on public.metric_ticks (told_at) where changed <> '{}';

-- What a saving is owed to: an answer that was there, a shared call, a provider's batch at its discount, or the choice of
-- the model; and what comparing answers cost.
create function private.lever(kind text, batch boolean) returns text
language plpgsql immutable set search_path = '' as $$
begin
  return case kind when 'exact_hit' then 'exact' when 'semantic_hit' then 'semantic' when 'shared' then 'shared'
    when 'shadow' then 'comparison' when 'judge' then 'comparison' else case when batch then 'lane' else 'routing' end end;
end $$;

-- The second in which an attempt ended, never one to come: calls note when they began, by the clock of whoever called.
create function private.second_of(kind text, at timestamptz, latency_ms integer) returns timestamptz
language plpgsql stable set search_path = '' as $$
begin
  return date_trunc('second',
    least(now(), case when kind in ('call', 'shadow', 'judge') then at + latency_ms * interval '1 millisecond' else at end));
end $$;

-- Attempts of one second that are alike, summed up.
create type private.metric_cell as (
  tenant_id uuid, second timestamptz, kind text, batch boolean, provider text, model text, route text, tags text[],
  requests bigint, answered bigint, attempts bigint, failed_attempts bigint, unpriced_attempts bigint, input_tokens bigint,
  output_tokens bigint, cost_cents numeric, baseline_cost_cents numeric, latency numeric
);

-- Adds them to the rollups of all grains, and notes which seconds are to be told. From the 100th tag of a day on, new ones
-- are summed up under one name, which no tag can have. Seconds and minutes that are kept no longer are not made anew. Rows
-- are locked in one order, so that recorders never deadlock. O(names in the cells). With its owner's rights, so that tenants are
-- compared once a cell and not with each row: cells of other tenants than the service acts for are left out. Planned once a
-- session: planning takes longer than adding a few cells.
create function private.add_metrics(cells private.metric_cell[]) returns void
language plpgsql volatile security definer set search_path = '' set plan_cache_mode = 'force_generic_plan' as $$
declare
  oldest constant timestamptz := date_trunc('second', now() - interval '1 hour');
begin
  with spread as (
    select c.*, d.dimension, d.name
    from unnest(cells) c cross join lateral (
      select 'lever', private.lever(c.kind, c.batch)
      union all select 'model', c.provider || '/' || c.model
      union all select 'route', c.route
      union all select distinct 'tag', t from unnest(c.tags) t
    ) d (dimension, name)
    where c.tenant_id in (select private.service_tenants())
  ),
  by_second as materialized (
    select tenant_id, second, date_trunc('day', second, 'UTC') as day, dimension, name,
      sum(requests) as requests, sum(answered) as answered,
      sum(case kind when 'exact_hit' then answered else 0 end) as exact_hits,
      sum(case kind when 'semantic_hit' then answered else 0 end) as semantic_hits,
      sum(case kind when 'shared' then answered else 0 end) as shared_hits,
      sum(attempts) as attempts, sum(failed_attempts) as failed_attempts, sum(unpriced_attempts) as unpriced_attempts,
      sum(input_tokens) as input_tokens, sum(output_tokens) as output_tokens,
      sum(cost_cents) as cost_cents, sum(baseline_cost_cents) as baseline_cost_cents, sum(latency) as latency
    from spread
    group by tenant_id, second, dimension, name
  ),
  tagged as (
    select distinct tenant_id, day, name from by_second where dimension = 'tag'
  ),
  known as (
    select t.*, exists (
      select from public.metric_rollups r
      where r.tenant_id = t.tenant_id and r.grain = 'day' and r.dimension = 'tag' and r.bucket = t.day and r.name = t.name
    ) as is
    from tagged t
  ),
  room as (
    select d.tenant_id, d.day, 100 - (
      select count(*) from public.metric_rollups r
      where r.tenant_id = d.tenant_id and r.grain = 'day' and r.dimension = 'tag' and r.bucket = d.day
    ) as tags
    from (select distinct tenant_id, day from tagged) d
  ),
  surplus as (
    select n.tenant_id, n.day, n.name
    from (
      select k.*, row_number() over (partition by k.tenant_id, k.day order by k.name) as number from known k where not k.is
    ) n
    join room using (tenant_id, day) where n.number > room.tags
  ),
  grains as (
    select s.tenant_id, g.grain, s.dimension, date_trunc(g.grain, s.second, 'UTC') as bucket,
      case when u.name is null then s.name else '(other)' end as name,
      sum(s.requests), sum(s.answered), sum(s.exact_hits), sum(s.semantic_hits), sum(s.shared_hits), sum(s.attempts),
      sum(s.failed_attempts), sum(s.unpriced_attempts), sum(s.input_tokens), sum(s.output_tokens), sum(s.cost_cents),
      sum(s.baseline_cost_cents), sum(s.latency)
    from by_second s
    left join surplus u on s.dimension = 'tag' and u.tenant_id = s.tenant_id and u.day = s.day and u.name = s.name
    cross join unnest(array['second', 'minute', 'day']) as g (grain)
    where case g.grain when 'second' then s.second > oldest when 'minute' then s.second > now() - interval '35 days' else true end
    group by 1, 2, 3, 4, 5
    order by 1, 2, 3, 4, 5
  ),
  added as (
    insert into public.metric_rollups as r select * from grains
    on conflict (tenant_id, grain, dimension, bucket, name) do update set
      requests = r.requests + excluded.requests,
      answered = r.answered + excluded.answered,
      exact_hits = r.exact_hits + excluded.exact_hits,
      semantic_hits = r.semantic_hits + excluded.semantic_hits,
      shared_hits = r.shared_hits + excluded.shared_hits,
      attempts = r.attempts + excluded.attempts,
      failed_attempts = r.failed_attempts + excluded.failed_attempts,
      unpriced_attempts = r.unpriced_attempts + excluded.unpriced_attempts,
      input_tokens = r.input_tokens + excluded.input_tokens,
      output_tokens = r.output_tokens + excluded.output_tokens,
      cost_cents = r.cost_cents + excluded.cost_cents,
      baseline_cost_cents = r.baseline_cost_cents + excluded.baseline_cost_cents,
      latency = r.latency + excluded.latency
  )
  insert into public.metric_ticks as t (tenant_id, changed)
  select s.tenant_id, array_agg(distinct s.second) from by_second s where s.second > oldest
  group by s.tenant_id order by s.tenant_id
  on conflict (tenant_id) do update set changed = array(select distinct unnest(t.changed || excluded.changed));
end $$;
