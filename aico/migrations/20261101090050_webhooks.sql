-- Whom to tell when something ends. Comes before the jobs, because the function that ends overdue ones tells too.
create table public.webhook_endpoints (
  id uuid not null default gen_random_uuid(),
  tenant_id uuid not null references public.tenants on delete cascade,
  url text not null check (url ~ '^https?://' and length(url) <= 2000),
  secret text not null,                   -- whsec_…, needed in clear to sign
  events text[] not null default '{}',    -- empty: all
  enabled boolean not null default true,
  created_at timestamptz not null default now(),
  primary key (tenant_id, id)
);

create table public.webhook_deliveries (
  id uuid not null default gen_random_uuid(),
  tenant_id uuid not null,
  endpoint_id uuid not null,
  job_id uuid,
  event text not null,
  payload jsonb not null,
  status text not null default 'pending' check (status in ('pending', 'delivered', 'failed')),
  attempts integer not null default 0,    -- those begun; only the latest may settle the delivery
  next_attempt_at timestamptz not null default now(),  -- while an attempt runs: when it counts as lost
  bell_at timestamptz default now(),      -- when its message was last sent; null: none is under way
  last_status smallint,
  last_error text,
  created_at timestamptz not null default now(),
  primary key (tenant_id, id),
  foreign key (tenant_id, endpoint_id) references public.webhook_endpoints (tenant_id, id) on delete cascade
);
create index webhook_deliveries_endpoint on public.webhook_deliveries (tenant_id, endpoint_id);
create index webhook_deliveries_job on public.webhook_deliveries (tenant_id, job_id) where status = 'pending';
create index webhook_deliveries_due on public.webhook_deliveries (next_attempt_at) where status = 'pending';

-- What an endpoint is told about the end of a job: ids, never prompts or answers.
create function private.job_event(job uuid, job_status text) returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object('type', 'job.' || job_status, 'timestamp', now(),
    'data', jsonb_build_object('id', job, 'status', job_status))
$$;

-- Deliveries that are due and for which no bell has rung lately; only ids, for the sweeper to ring. One row a delivery.
create function private.due_deliveries(quiet interval, batch_size integer)
returns table (tenant_id uuid, job_id uuid)
language sql volatile security definer set search_path = '' as $$
  update public.webhook_deliveries d set bell_at = now()
  from (
    select w.tenant_id, w.id from public.webhook_deliveries w
    where w.status = 'pending' and w.next_attempt_at <= now() and w.job_id is not null
      and (w.bell_at is null or w.bell_at < now() - quiet)
    order by w.next_attempt_at limit batch_size
    for update skip locked
  ) due
  where d.tenant_id = due.tenant_id and d.id = due.id
  returning d.tenant_id, d.job_id
$$;
