-- One row an attempt, append-only, partitioned by time; rollups are maintained in the transaction that writes them.
create table public.ledger_attempts (
  id uuid not null,
  tenant_id uuid not null,
  at timestamptz not null,
  job_id uuid not null,
  api_key_id uuid,
  kind text not null check (kind in ('call', 'exact_hit', 'semantic_hit')),
  outcome text not null check (outcome in ('ok', 'retryable', 'fatal', 'cancelled', 'lost')),
  provider text not null,
  model text not null,
  latency_ms integer not null,
  input_uncached integer not null default 0,
  cache_read integer not null default 0,
  cache_write integer not null default 0,
  output integer not null default 0,
  reasoning integer not null default 0,
  tier text not null default 'standard',
  batch boolean not null default false,
  cost_cents numeric(20, 6),              -- null: no price is known
  price_version text,
  baseline_model text,
  baseline_cost_cents numeric(20, 6),
  http_status smallint,
  error text,
  similarity real,
  strategy text,
  propensity real,                        -- probability with which the policy chose this model
  assignment_unit text,                   -- what an experiment randomises over
  policy_version text,
  usage_raw jsonb,
  primary key (tenant_id, at, id)
) partition by range (at);
create index ledger_attempts_job on public.ledger_attempts (tenant_id, job_id);

create table private.ledger_attempts_default partition of public.ledger_attempts default;
alter table private.ledger_attempts_default enable row level security;

-- Events wait here from the transaction that made them until the recorder has booked them.
create table public.ledger_outbox (like public.ledger_attempts including defaults, primary key (tenant_id, job_id, id));
create index ledger_outbox_at on public.ledger_outbox (at);

create table public.rollups (
  tenant_id uuid not null references public.tenants on delete cascade,
  grain text not null check (grain in ('minute', 'day')),
  bucket timestamptz not null,
  kind text not null,
  provider text not null,
  model text not null,
  attempts bigint not null default 0,
  answered bigint not null default 0,
  failed bigint not null default 0,
  unpriced bigint not null default 0,     -- attempts whose cost is unknown
  input_tokens bigint not null default 0,
  output_tokens bigint not null default 0,
  cost_cents numeric(24, 6) not null default 0,
  baseline_cost_cents numeric(24, 6) not null default 0,
  latency_ms_sum bigint not null default 0,
  primary key (tenant_id, grain, bucket, kind, provider, model)
);

-- Makes the partitions of this month and the next, so that a row never has to wait for one.
create function private.ensure_ledger_partitions() returns void
language plpgsql security definer set search_path = '' as $$
declare
  month date;
  name text;
begin
  foreach month in array array[date_trunc('month', now())::date, (date_trunc('month', now()) + interval '1 month')::date]
  loop
    name := 'ledger_attempts_' || to_char(month, 'YYYY_MM');
    if to_regclass('private.' || name) is null then
      execute format('create table private.%I partition of public.ledger_attempts for values from (%L) to (%L)',
        name, month, month + interval '1 month');
      execute format('alter table private.%I enable row level security', name);
    end if;
  end loop;
end $$;
select private.ensure_ledger_partitions();

-- Events that no recorder took in time; only the ids of their jobs, for the sweeper to ring again.
create function private.late_events(quiet interval, batch_size integer)
returns table (tenant_id uuid, job_id uuid)
language sql stable security definer set search_path = '' as $$
  select o.tenant_id, o.job_id from public.ledger_outbox o where o.at < now() - quiet order by o.at limit batch_size
$$;
