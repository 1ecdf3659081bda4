-- Whom to tell when something ends. Comes before the jobs, because the functions that end them tell too.
create table public.webhook_endpoints (
  id uuid not null default gen_random_uuid(),
  tenant_id uuid not null references public.tenants on delete cascade,
  url text not null check (url ~ '^https?://' and length(url) <= 2000),
  description text not null default '' check (length(description) <= 200),
  secret text not null,                   -- whsec_…, needed in clear to sign
  old_secrets jsonb not null default '[]',  -- {secret, until}, newest first: they sign beside the new one until then
  events text[] not null default '{}',    -- empty: all
  enabled boolean not null default true,
  disabled_at timestamptz,
  disabled_reason text,
  created_at timestamptz not null default now(),
  primary key (tenant_id, id)
);

create table public.webhook_deliveries (
  id uuid not null default gen_random_uuid(),
  tenant_id uuid not null,
  endpoint_id uuid not null,
  job_id uuid,                            -- null: about something else than a job
  event text not null,
  payload jsonb not null,
  status text not null default 'pending' check (status in ('pending', 'delivered', 'failed')),
  attempts integer not null default 0,    -- those begun; only the latest may settle the delivery
  earlier_attempts integer not null default 0,  -- those before the schedule began anew
  begun_at timestamptz not null default now(),  -- when its schedule began
  next_attempt_at timestamptz not null default now(),  -- while an attempt runs: when it counts as lost; infinity: held
  bell_at timestamptz default now(),      -- when its message was last sent; null: none is under way
  last_status smallint,
  last_error text,
  -- {number, at, http_status, error, duration_ms} of the latest attempts: read with the delivery alone, few and small,
  -- written by the statement that settles it; a table of their own would cost a second write and a cascade.
  log jsonb not null default '[]',
  created_at timestamptz not null default now(),
  primary key (tenant_id, id),
  foreign key (tenant_id, endpoint_id) references public.webhook_endpoints (tenant_id, id) on delete cascade
);
create index webhook_deliveries_log on public.webhook_deliveries (tenant_id, endpoint_id, created_at, id);
create index webhook_deliveries_due on public.webhook_deliveries (next_attempt_at) where status = 'pending';
create index webhook_deliveries_age on public.webhook_deliveries (begun_at);

-- What an endpoint is told about the end of a job: ids, never prompts or answers.
create function private.job_event(job uuid, job_status text) returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object('type', 'job.' || job_status, 'timestamp', now(),
    'data', jsonb_build_object('id', job, 'status', job_status))
$$;

-- Makes a delivery for each enabled endpoint that wants to hear of the end of one of these jobs: the arrays hold a
-- tenant, a job and its final status each. The caller rings. An endpoint that is removed meanwhile is passed over.
create function private.announce(tenants uuid[], jobs uuid[], statuses text[])
returns table (tenant_id uuid, job_id uuid, delivery_id uuid)
language sql volatile set search_path = '' as $$
  insert into public.webhook_deliveries (tenant_id, endpoint_id, job_id, event, payload)
  select e.tenant_id, e.id, d.job, 'job.' || d.status, private.job_event(d.job, d.status)
  from unnest(tenants, jobs, statuses) as d (tenant, job, status)
  join public.webhook_endpoints e on e.tenant_id = d.tenant
  where e.enabled and (e.events = '{}' or 'job.' || d.status = any (e.events))
  for key share of e
  returning tenant_id, job_id, id
$$;

-- Deliveries that are due and for which no bell has rung lately; only ids, for the sweeper to ring. Those of a disabled
-- endpoint are held instead, so that they are met here once. The lock on the endpoint keeps it from being enabled until
-- that can be seen.
create function private.due_deliveries(quiet interval, batch_size integer)
returns table (tenant_id uuid, delivery_id uuid)
language sql volatile security definer set search_path = '' as $$
  with due as (
    select w.tenant_id, w.id, e.enabled
    from public.webhook_deliveries w
    join public.webhook_endpoints e on e.tenant_id = w.tenant_id and e.id = w.endpoint_id
    where w.status = 'pending' and w.next_attempt_at <= now() and (w.bell_at is null or w.bell_at < now() - quiet)
    order by w.next_attempt_at limit batch_size
    for update of w skip locked for share of e skip locked
  ),
  met as (
    update public.webhook_deliveries d
    set bell_at = now(), next_attempt_at = case when due.enabled then d.next_attempt_at else 'infinity' end
    from due where d.tenant_id = due.tenant_id and d.id = due.id
    returning d.tenant_id, d.id, due.enabled
  )
  select m.tenant_id, m.id from met m where m.enabled
$$;

-- Deletes deliveries whose schedule began longer ago than they are kept, whatever became of them. Returns how many.
create function private.purge_deliveries(older_than interval, batch_size integer) returns bigint
language sql volatile security definer set search_path = '' as $$
  with purged as (
    delete from public.webhook_deliveries d
    using (
      select l.tenant_id, l.id from public.webhook_deliveries l where l.begun_at < now() - older_than
      order by l.begun_at limit batch_size for update skip locked
    ) old
    where d.tenant_id = old.tenant_id and d.id = old.id
    returning 1
  )
  select count(*) from purged
$$;
