-- Experiments, feedback, quotas and the audit log.
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
