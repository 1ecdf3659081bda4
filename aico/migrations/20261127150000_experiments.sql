-- Experiments: what they compare, how they end, and what each unit that was drawn made.
alter table public.experiments
  add column description text not null default '',
  add column plan jsonb not null default '{}',
  add column levers text[] not null default '{}',  -- what its arms change; of two that run no two are the same
  add column created_by text not null default 'operator',
  add column started_at timestamptz,
  add column stopped_at timestamptz,
  add column stopped_because text;
create index experiments_running on public.experiments (tenant_id) where status = 'running';

-- Of units that make several jobs. Of each job on its own the arm's rollups say all.
alter table public.assignments
  add column jobs bigint not null default 0,
  add column failed bigint not null default 0,
  add column cents numeric not null default 0,
  add column latency_ms numeric not null default 0,  -- of the attempts that answered
  add column judged bigint not null default 0,
  add column quality double precision not null default 0;

alter table public.alerts drop constraint if exists alerts_kind_check;
alter table public.alerts add constraint alerts_kind_check check (kind ~ '^[a-z_]+\.[a-z_]+$');

-- How likely a unit was to be drawn into this arm.
create function private.propensity_of(arms jsonb, arm text) returns real
language sql immutable set search_path = '' as $$
  select coalesce(sum((a ->> 'weight')::real) filter (where a ->> 'name' = arm) / sum((a ->> 'weight')::real), 1)::real
  from jsonb_array_elements(arms) a
$$;

-- The experiment of an arm as the ledger names it; null: of none.
create function private.experiment_of(arm text) returns uuid
language sql immutable set search_path = '' as $$
  select case when arm ~ '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/'
    then split_part(arm, '/', 1)::uuid end
$$;

-- Of all tenants; only ids, for the sweeper to look at one by one.
create function private.running_experiments() returns table (tenant_id uuid, experiment_id uuid)
language sql stable security definer set search_path = '' as $$
  select e.tenant_id, e.id from public.experiments e where e.status = 'running' order by e.tenant_id, e.id
$$;

revoke execute on function private.propensity_of(jsonb, text), private.experiment_of(text),
  private.running_experiments() from public, anon, authenticated;
grant execute on function private.propensity_of(jsonb, text), private.experiment_of(text),
  private.running_experiments() to aico_service;
