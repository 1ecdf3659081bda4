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
  replay_of uuid,                         -- the dead letter that this job answers anew
  replayed_as uuid,                       -- and the other way round
  status text not null check (status in
    ('queued', 'in_progress', 'completed', 'failed', 'cancelled', 'expired', 'incomplete')),
  stage text not null check (stage in ('embed', 'route', 'lane')),  -- lane: parked for a provider's batch
  class text not null check (class in ('interactive', 'standard', 'batch')),
  cache_mode text not null check (cache_mode in ('off', 'exact', 'semantic', 'refresh')),
  request jsonb not null,
  namespace bytea not null,
  fingerprint bytea not null,
  metadata jsonb not null default '{}',
  created_at timestamptz not null default now(),
  deadline timestamptz not null,
  deadline_given boolean not null default false,  -- by the caller, who can thus wait that long
  place timestamptz not null default now(),  -- in the tenant's own queue: creation less the head start of its priority
  bell_at timestamptz,                    -- when its message was last sent; null: not admitted yet
  run_after timestamptz,                  -- held until then: a retry, or a place in a rate limit
  reserved_model text,                    -- for which that place is reserved
  max_retries smallint not null default 0,
  retries smallint not null default 0,
  losses smallint not null default 0,     -- leases that ran out
  attempts smallint not null default 0,   -- made before the claim that holds it now
  spent_cents numeric(20, 6) not null default 0,  -- what of their cost is known
  history jsonb not null default '[]',    -- why it was put back, and when
  fence bigint not null default 0,        -- grows with each claim; an older holder's result is refused
  lease_until timestamptz,
  calling jsonb,                          -- the call under way: provider, model, since when, estimated cents
  lane_id uuid,                           -- the provider's batch that it waits for
  lane_model text,
  hedge_at timestamptz,                   -- when it stops waiting for that and is called directly
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
create index jobs_waiting on public.jobs (class, tenant_id, place, id) where status = 'queued' and bell_at is null;
create index jobs_ringing on public.jobs (class, bell_at)
  where status = 'queued' and bell_at is not null and run_after is null;
create index jobs_due on public.jobs (run_after) where status = 'queued' and run_after is not null;
create index jobs_held on public.jobs (class, tenant_id) where status = 'queued' and run_after is not null;
create index jobs_active on public.jobs (class, tenant_id)
  where status in ('queued', 'in_progress') and bell_at is not null and run_after is null and stage <> 'lane';
create index jobs_leased on public.jobs (lease_until) where status = 'in_progress' and lease_until is not null;
create index jobs_deadline on public.jobs (deadline) where status in ('queued', 'in_progress');
create index jobs_batch on public.jobs (tenant_id, batch_id) where batch_id is not null;
create index jobs_dead on public.jobs (tenant_id, id) where status in ('failed', 'expired') and replayed_as is null;
create index jobs_created on public.jobs using brin (created_at);  -- for retention

-- Which job a caller's key stands for, and a hash of what was asked for under it.
create table public.idempotency_keys (
  tenant_id uuid not null references public.tenants on delete cascade,
  key text not null check (length(key) between 1 and 255),
  request_hash bytea not null check (length(request_hash) = 32),
  job_id uuid not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  primary key (tenant_id, key)
);
create index idempotency_keys_expiry on public.idempotency_keys (expires_at);

-- One line of a job's history. It is kept short: a job that is put back for ever must not grow for ever.
create function private.with_history(history jsonb, reason text, message text, run_after timestamptz) returns jsonb
language sql stable set search_path = '' as $$
  select case when jsonb_array_length(history) >= 50 then history else history || jsonb_build_array(
    jsonb_strip_nulls(jsonb_build_object('at', now(), 'reason', reason, 'message', message, 'run_after', run_after)))
  end
$$;

-- Jobs whose bell may have been lost: still queued long after it rang, or held by a worker that stopped renewing its
-- lease. `idle` names the classes whose queue is empty, where even a short silence is suspicious. Each part walks an
-- index from its oldest end and stops where nothing is late: O(batch_size), however long the backlog. Whoever asks again
-- for the rest gives `as_of`, the `rung_at` of the first answer, so that no bell rings twice.
create function private.lost_bells(
  idle text[], quiet interval, silent interval, batch_size integer, as_of timestamptz default now()
) returns table (tenant_id uuid, id uuid, stage text, class text, rung_at timestamptz)
language sql volatile security definer set search_path = '' as $$
  with ringing as (
    select late.tenant_id, late.id
    from unnest(array['interactive', 'standard', 'batch']) as c (class)
    cross join lateral (
      select l.tenant_id, l.id from public.jobs l
      where l.status = 'queued' and l.bell_at is not null and l.run_after is null and l.class = c.class
        and l.bell_at < as_of - (case when c.class = any (idle) then quiet else silent end)
      order by l.bell_at limit batch_size
      for update skip locked
    ) late
  ),
  abandoned as (
    select l.tenant_id, l.id from public.jobs l
    where l.status = 'in_progress' and l.lease_until is not null and l.lease_until < now()
      and l.bell_at < as_of - quiet
    order by l.lease_until limit batch_size
    for update skip locked
  )
  update public.jobs j set bell_at = now()
  from (select * from ringing union all select * from abandoned) late
  where j.tenant_id = late.tenant_id and j.id = late.id
  returning j.tenant_id, j.id, j.stage, j.class, j.bell_at
$$;

-- Jobs that were held and may run now.
create function private.due_jobs(batch_size integer)
returns table (tenant_id uuid, id uuid, stage text, class text)
language sql volatile security definer set search_path = '' as $$
  update public.jobs j set run_after = null, bell_at = now()
  from (
    select l.tenant_id, l.id from public.jobs l
    where l.status = 'queued' and l.run_after is not null and l.run_after <= now()
    order by l.run_after limit batch_size
    for update skip locked
  ) due
  where j.tenant_id = due.tenant_id and j.id = due.id
  returning j.tenant_id, j.id, j.stage, j.class
$$;

-- Deletes what ended longer ago than it is kept, and keys that have expired. Returns how many rows.
create function private.purge_jobs(kept interval, batch_size integer) returns bigint
language sql volatile security definer set search_path = '' as $$
  with old as (
    delete from public.jobs j
    using (
      select l.tenant_id, l.id from public.jobs l
      where l.created_at < now() - kept and l.finished_at < now() - kept limit batch_size for update skip locked
    ) l
    where j.tenant_id = l.tenant_id and j.id = l.id
    returning 1
  ),
  keys as (
    delete from public.idempotency_keys k
    using (
      select l.tenant_id, l.key from public.idempotency_keys l where l.expires_at < now()
      order by l.expires_at limit batch_size for update skip locked
    ) l
    where k.tenant_id = l.tenant_id and k.key = l.key
    returning 1
  )
  select greatest((select count(*) from old), (select count(*) from keys))
$$;
