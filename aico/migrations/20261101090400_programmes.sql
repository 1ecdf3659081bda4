-- Experiments, feedback, webhooks, quotas and the audit log.
create table public.experiments (
  id uuid not null default gen_random_uuid(),
  tenant_id uuid not null references public.tenants on delete cascade,
  name text not null,
  status text not null default 'draft' check (status in ('draft', 'running', 'stopped')),
  salt text not null default gen_random_uuid()::text,
  arms jsonb not null default '[]',
  created_at timestamptz not null default now(),
  primary key (tenant_id, id),
  unique (tenant_id, name)
);

create table public.assignments (
  tenant_id uuid not null,
  experiment_id uuid not null,
  unit text not null,
  arm text not null,
  propensity real not null check (propensity > 0 and propensity <= 1),
  assigned_at timestamptz not null default now(),
  primary key (tenant_id, experiment_id, unit),
  foreign key (tenant_id, experiment_id) references public.experiments (tenant_id, id) on delete cascade
);

create table public.feedback (
  id uuid not null default gen_random_uuid(),
  tenant_id uuid not null references public.tenants on delete cascade,
  job_id uuid not null,
  score real not null check (score between 0 and 1),
  source text not null check (source in ('user', 'implicit', 'judge')),
  created_at timestamptz not null default now(),
  primary key (tenant_id, id)
);
create index feedback_job on public.feedback (tenant_id, job_id);

create table public.outcomes (
  tenant_id uuid not null references public.tenants on delete cascade,
  job_id uuid not null,
  model text not null,
  quality real not null check (quality between 0 and 1),
  propensity real check (propensity > 0 and propensity <= 1),
  policy_version text,
  observed_at timestamptz not null default now(),
  primary key (tenant_id, job_id, model)
);

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
  attempts integer not null default 0,
  next_attempt_at timestamptz not null default now(),
  last_status smallint,
  last_error text,
  created_at timestamptz not null default now(),
  primary key (tenant_id, id),
  foreign key (tenant_id, endpoint_id) references public.webhook_endpoints (tenant_id, id) on delete cascade
);
create index webhook_deliveries_endpoint on public.webhook_deliveries (tenant_id, endpoint_id);
create index webhook_deliveries_due on public.webhook_deliveries (next_attempt_at) where status = 'pending';

create table public.quotas (
  tenant_id uuid not null references public.tenants on delete cascade,
  scope text not null default 'tenant',
  period text not null check (period in ('minute', 'day', 'month')),
  unit text not null check (unit in ('requests', 'tokens', 'cents')),
  quota numeric(24, 6) not null check (quota >= 0),
  primary key (tenant_id, scope, period, unit)
);

create table public.audit_log (
  id uuid not null default gen_random_uuid(),
  tenant_id uuid not null references public.tenants on delete cascade,
  at timestamptz not null default now(),
  actor text not null,
  action text not null,
  subject text not null,
  detail jsonb not null default '{}',
  primary key (tenant_id, at, id)
);
