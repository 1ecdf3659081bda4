-- What operators watch, of all tenants together: sums and counts, never whose.

-- Sums of booked attempts since the first, kept by the statement that books them. They only grow.
create table private.totals (
  kind text not null,
  outcome text not null,
  provider text not null,
  model text not null,
  attempts bigint not null,
  unpriced bigint not null,               -- attempts whose cost is unknown
  input_tokens bigint not null,
  output_tokens bigint not null,
  cost_cents numeric not null,
  baseline_cost_cents numeric not null,
  saved_cents numeric not null,           -- by attempts that cost less than their baseline
  overspent_cents numeric not null,       -- by attempts that cost more, such as failed ones, which have none
  primary key (kind, outcome, provider, model)
);
alter table private.totals enable row level security;

-- Adds rows of private.totals, as a JSON array or null. From the 200th on, new rows are summed up as "other": the number
-- of series stays bounded, whatever models are called. Rows are locked in one order, so that recorders never deadlock.
create function private.add_totals(sums jsonb) returns void
language sql volatile security definer set search_path = '' as $$
  with incoming as (
    select s.*, exists (
      select from private.totals t
      where (t.kind, t.outcome, t.provider, t.model) = (s.kind, s.outcome, s.provider, s.model)
    ) as known
    from jsonb_populate_recordset(null::private.totals, sums) s
  ),
  ranked as (
    select i.*, i.known or (select count(*) from private.totals)
      + row_number() over (partition by i.known order by i.kind, i.outcome, i.provider, i.model) <= 200 as named
    from incoming i
  ),
  bounded as (
    select r.kind, r.outcome, case when r.named then r.provider else 'other' end as provider,
      case when r.named then r.model else 'other' end as model, r.attempts, r.unpriced, r.input_tokens, r.output_tokens,
      r.cost_cents, r.baseline_cost_cents, r.saved_cents, r.overspent_cents
    from ranked r
  )
  insert into private.totals as t
  select b.kind, b.outcome, b.provider, b.model, sum(b.attempts), sum(b.unpriced), sum(b.input_tokens),
    sum(b.output_tokens), sum(b.cost_cents), sum(b.baseline_cost_cents), sum(b.saved_cents), sum(b.overspent_cents)
  from bounded b
  group by b.kind, b.outcome, b.provider, b.model
  order by b.kind, b.outcome, b.provider, b.model
  on conflict (kind, outcome, provider, model) do update set
    attempts = t.attempts + excluded.attempts,
    unpriced = t.unpriced + excluded.unpriced,
    input_tokens = t.input_tokens + excluded.input_tokens,
    output_tokens = t.output_tokens + excluded.output_tokens,
    cost_cents = t.cost_cents + excluded.cost_cents,
    baseline_cost_cents = t.baseline_cost_cents + excluded.baseline_cost_cents,
    saved_cents = t.saved_cents + excluded.saved_cents,
    overspent_cents = t.overspent_cents + excluded.overspent_cents
$$;

create function private.all_totals() returns setof private.totals
language sql stable security definer set search_path = '' as $$
  select * from private.totals
$$;

-- By age, so that the oldest of a long backlog is the first entry. Admitted jobs are few and need none.
create index jobs_backlog on public.jobs (class, created_at) where status = 'queued' and bell_at is null;
create index jobs_lane_class on public.jobs (class) where stage = 'lane' and status in ('queued', 'in_progress');

-- How many jobs of each class are in which state, each counted up to 10,000, and how old the oldest are: of all that
-- are neither held nor parked, and of those among them that nobody works on yet. Each part walks a partial index.
create function private.queue_stats()
returns table (class text, waiting bigint, admitted bigint, running bigint, held bigint, lane bigint,
  oldest_seconds double precision, longest_wait_seconds double precision)
language sql stable security definer set search_path = '' as $$
  select c.class, w.jobs, a.admitted, a.running, h.jobs, l.jobs,
    coalesce(extract(epoch from now() - least(f.created_at, a.oldest)), 0)::double precision,
    coalesce(extract(epoch from now() - least(f.created_at, a.oldest_admitted)), 0)::double precision
  from unnest(array['interactive', 'standard', 'batch']) as c (class)
  cross join lateral (
    select count(*) as jobs from (
      select from public.jobs j
      where j.class = c.class and j.status = 'queued' and j.bell_at is null limit 10000
    ) n
  ) w
  left join lateral (
    select j.created_at from public.jobs j
    where j.class = c.class and j.status = 'queued' and j.bell_at is null order by j.created_at limit 1
  ) f on true
  cross join lateral (
    select count(*) filter (where n.status = 'queued') as admitted,
      count(*) filter (where n.status = 'in_progress') as running,
      min(n.created_at) as oldest,
      min(n.created_at) filter (where n.status = 'queued') as oldest_admitted
    from (
      select j.status, j.created_at from public.jobs j
      where j.class = c.class and j.status in ('queued', 'in_progress') and j.bell_at is not null
        and j.run_after is null and j.stage <> 'lane' limit 10000
    ) n
  ) a
  cross join lateral (
    select count(*) as jobs from (
      select from public.jobs j
      where j.class = c.class and j.status = 'queued' and j.run_after is not null limit 10000
    ) n
  ) h
  cross join lateral (
    select count(*) as jobs from (
      select from public.jobs j
      where j.class = c.class and j.stage = 'lane' and j.status in ('queued', 'in_progress') limit 10000
    ) n
  ) l
$$;

-- Dead letters that nobody has replayed, counted up to 10,000.
create function private.dead_jobs() returns bigint
language sql stable security definer set search_path = '' as $$
  select count(*) from (
    select from public.jobs j where j.status in ('failed', 'expired') and j.replayed_as is null limit 10000
  ) n
$$;
