-- Work that can wait goes into providers' batches. A row is one such batch: of one tenant, for one model. Its id is the
-- key under which the provider knows it.
create table public.provider_batches (
  id uuid not null,
  tenant_id uuid not null references public.tenants on delete cascade,
  provider text not null,
  model text not null,
  status text not null check (status in ('creating', 'running', 'ended', 'failed', 'expired', 'cancelled')),
  lines integer not null,                 -- jobs that it was formed of
  remote_id text,                         -- the provider's name of it
  unsure boolean not null default false,  -- a creation has begun, and it is not known what became of it
  lost smallint not null default 0,       -- creations that may have left a batch which cannot be found
  error text,                             -- of the latest step that failed
  created_at timestamptz not null default now(),
  deadline timestamptz not null,          -- the earliest of its jobs'
  hedge_at timestamptz,                   -- likewise, of those that still wait for it
  poll_at timestamptz not null default now(),  -- when its next step is due
  fence bigint not null default 0,        -- grows with each claim; an older holder changes nothing
  lease_until timestamptz,
  cancelled_at timestamptz,               -- when the provider was asked to stop
  ended_at timestamptz,
  primary key (tenant_id, id)
);
create index provider_batches_due on public.provider_batches (poll_at) where ended_at is null;
create index provider_batches_age on public.provider_batches (ended_at);
-- Parked jobs that no batch has taken yet; `run_after` is when they have waited long enough for company.
create index jobs_parked on public.jobs (run_after)
  where status = 'in_progress' and stage = 'lane' and lane_id is null;
create index jobs_hedge on public.jobs (hedge_at) where status = 'in_progress' and stage = 'lane';
create index jobs_lane on public.jobs (tenant_id, lane_id) where lane_id is not null;

-- Where a lane worker has something to do: a batch whose next step is due, or, without one, a tenant whose parked jobs
-- are to be formed into batches. Walks both indexes from their oldest end: O(batch_size).
create function private.due_lanes(batch_size integer) returns table (tenant_id uuid, batch_id uuid)
language sql stable security definer set search_path = '' as $$
  select distinct w.tenant_id, null::uuid
  from (
    select j.tenant_id from public.jobs j
    where j.status = 'in_progress' and j.stage = 'lane' and j.lane_id is null and j.run_after <= now()
    order by j.run_after limit batch_size
  ) w
  union all (
    select b.tenant_id, b.id from public.provider_batches b
    where b.ended_at is null and b.poll_at <= now() and (b.lease_until is null or b.lease_until < now())
    order by b.poll_at limit batch_size
  )
$$;

-- Deletes batches that ended longer ago than they are kept. Returns how many.
create function private.purge_lanes(kept interval, batch_size integer) returns bigint
language sql volatile security definer set search_path = '' as $$
  with purged as (
    delete from public.provider_batches b
    using (
      select l.tenant_id, l.id from public.provider_batches l where l.ended_at < now() - kept
      order by l.ended_at limit batch_size for update skip locked
    ) old
    where b.tenant_id = old.tenant_id and b.id = old.id
    returning 1
  )
  select count(*) from purged
$$;

-- Takes jobs out of their lane, so that they are called directly; each message goes into its job's history. An answer
-- that comes later has an old fence. They wait for their turn among all tenants: they did not count as under way.
create function private.leave_lane(tenant uuid, jobs uuid[], reason text, messages text[]) returns setof uuid
language sql volatile set search_path = '' as $$
  update public.jobs j
  set status = 'queued', stage = 'route', fence = j.fence + 1, bell_at = null, run_after = null, hedge_at = null,
    history = private.with_history(j.history, reason, l.message, null)
  from unnest(jobs, messages) as l (id, message)
  where j.tenant_id = tenant and j.id = l.id and j.status = 'in_progress' and j.stage = 'lane'
  returning j.id
$$;

-- Takes out of their lanes what the lane worker should have taken out `late` ago: that it is down must cost no answer.
create function private.recall_from_lanes(late interval, batch_size integer) returns bigint
language sql volatile security definer set search_path = '' as $$
  select count(*) from (
    select l.tenant_id, array_agg(l.id) as ids from (
      select j.tenant_id, j.id from public.jobs j
      where j.status = 'in_progress' and j.stage = 'lane' and j.hedge_at < now() - late
      order by j.hedge_at limit batch_size
    ) l group by l.tenant_id
  ) t
  cross join lateral private.leave_lane(t.tenant_id, t.ids, 'hedged',
    array_fill('no lane worker took it back in time'::text, array[cardinality(t.ids)]))
$$;
