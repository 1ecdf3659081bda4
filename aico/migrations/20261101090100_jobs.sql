-- A job is the truth about one prompt. Queues hold only its id.
create table public.batches (
  id uuid not null,
  tenant_id uuid not null references public.tenants on delete cascade,
  status text not null check (status in
    ('validating', 'in_progress', 'finalizing', 'completed', 'failed', 'expired', 'cancelling', 'cancelled')),
  total integer not null default 0,
  completed integer not null default 0,
  failed integer not null default 0,
  metadata jsonb not null default '{}',
  created_at timestamptz not null default now(),
  finished_at timestamptz,
  primary key (tenant_id, id)
);

create table public.jobs (
  id uuid not null,                       -- version 7: sorts by creation
  tenant_id uuid not null references public.tenants on delete cascade,
  api_key_id uuid,
  batch_id uuid,
  status text not null check (status in
    ('queued', 'in_progress', 'completed', 'failed', 'cancelled', 'expired', 'incomplete')),
  stage text not null check (stage in ('embed', 'route')),
  class text not null check (class in ('interactive', 'standard', 'batch')),
  cache_mode text not null check (cache_mode in ('off', 'exact', 'semantic', 'refresh')),
  request jsonb not null,
  namespace bytea not null,
  fingerprint bytea not null,
  metadata jsonb not null default '{}',
  created_at timestamptz not null default now(),
  deadline timestamptz not null,
  bell_at timestamptz not null default now(),   -- when its message was last sent
  claims integer not null default 0,
  fence bigint not null default 0,        -- grows with each claim; an older holder's result is refused
  lease_until timestamptz,
  embedding extensions.halfvec(384),      -- kept from the probe until the answer is cached
  embedding_model text,
  answer jsonb,
  routing jsonb,
  error jsonb,
  finished_at timestamptz,
  primary key (tenant_id, id),
  foreign key (tenant_id, batch_id) references public.batches (tenant_id, id)
) with (fillfactor = 70);
-- Partial, so that they hold what is alive; what has ended costs them nothing.
create index jobs_waiting on public.jobs (class, bell_at) where status = 'queued';
create index jobs_held on public.jobs (lease_until) where status = 'in_progress';
create index jobs_deadline on public.jobs (deadline) where status in ('queued', 'in_progress');
create index jobs_batch on public.jobs (tenant_id, batch_id) where batch_id is not null;

-- Jobs whose bell may have been lost: still queued long after it rang, or held by a worker that stopped renewing its
-- lease. `idle` names the classes whose queue is empty, where even a short silence is suspicious. Each part walks an
-- index from its oldest end and stops where nothing is late: O(batch_size), however long the backlog.
create function private.lost_bells(idle text[], quiet interval, silent interval, batch_size integer)
returns table (tenant_id uuid, id uuid, stage text, class text)
language sql volatile security definer set search_path = '' as $$
  with waiting as (
    select late.tenant_id, late.id
    from unnest(array['interactive', 'standard', 'batch']) as c (class)
    cross join lateral (
      select l.tenant_id, l.id from public.jobs l
      where l.status = 'queued' and l.class = c.class
        and l.bell_at < now() - (case when c.class = any (idle) then quiet else silent end)
      order by l.bell_at limit batch_size
      for update skip locked
    ) late
  ),
  held as (
    select l.tenant_id, l.id from public.jobs l
    where l.status = 'in_progress' and l.lease_until < now() and l.bell_at < now() - quiet
    order by l.lease_until limit batch_size
    for update skip locked
  )
  update public.jobs j set bell_at = now()
  from (select * from waiting union all select * from held) late
  where j.tenant_id = late.tenant_id and j.id = late.id
  returning j.tenant_id, j.id, j.stage, j.class
$$;

-- Ends what can no longer be answered: past its deadline, or claimed again and again without ever finishing. Endpoints
-- are told as `finish` tells them; the sweeper, which calls this, rings for that too.
create function private.end_overdue_jobs(max_claims integer, batch_size integer)
returns table (tenant_id uuid, id uuid, status text)
language sql volatile security definer set search_path = '' as $$
  with overdue as (
    select l.tenant_id, l.id from public.jobs l
    where l.status in ('queued', 'in_progress') and l.deadline < now()
      and (l.lease_until is null or l.lease_until < now())
    order by l.deadline limit batch_size
    for update skip locked
  ),
  hopeless as (
    select l.tenant_id, l.id from public.jobs l
    where l.status = 'in_progress' and l.lease_until < now() and l.claims >= max_claims
    order by l.lease_until limit batch_size
    for update skip locked
  ),
  done as (
    update public.jobs j set
      status = case when j.deadline < now() then 'expired' else 'failed' end,
      error = case when j.deadline < now()
        then jsonb_build_object('code', 'deadline_exceeded', 'message', 'no answer before the deadline')
        else jsonb_build_object('code', 'worker_lost', 'message', 'its worker failed ' || j.claims || ' times') end,
      finished_at = now(), lease_until = null, embedding = null, fence = j.fence + 1
    from (select * from overdue union select * from hopeless) late
    where j.tenant_id = late.tenant_id and j.id = late.id
    returning j.tenant_id, j.id, j.status
  ),
  delivery as (
    insert into public.webhook_deliveries (tenant_id, endpoint_id, job_id, event, payload, bell_at)
    select d.tenant_id, e.id, d.id, 'job.' || d.status, private.job_event(d.id, d.status), null
    from done d join public.webhook_endpoints e on e.tenant_id = d.tenant_id
    where e.enabled and (e.events = '{}' or 'job.' || d.status = any (e.events))
    for key share of e
  )
  select d.tenant_id, d.id, d.status from done d
$$;

-- How much waits, and since when, for each class: what health and autoscaling look at. A class is looked at up to the
-- 10,000 jobs that rang longest ago, so that asking stays cheap when a backlog is long.
create function private.queue_ages()
returns table (class text, waiting bigint, oldest_seconds double precision)
language sql stable security definer set search_path = '' as $$
  select c.class, count(*), extract(epoch from now() - min(w.created_at))::double precision
  from unnest(array['interactive', 'standard', 'batch']) as c (class)
  cross join lateral (
    select l.created_at from public.jobs l
    where l.status = 'queued' and l.class = c.class order by l.bell_at limit 10000
  ) w
  group by c.class
$$;
