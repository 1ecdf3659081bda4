-- What a job is drawn into, and figures of each arm, kept as attempts are booked and as answers are judged.
alter table public.tenants add column holdout_share real check (holdout_share between 0 and 1);  -- null: the service's
alter table public.tenants add column draw_salt text not null default gen_random_uuid()::text;
alter table public.experiments add column unit text not null default 'job' check (unit in ('job', 'key', 'user'));

alter table public.jobs add column assigned jsonb;  -- null: into nothing

-- With the last attempt of a job that was drawn into something: its arms, and what all of its attempts cost.
alter table public.ledger_attempts add column arms text[], add column job_cents numeric(20, 6);
alter table public.ledger_outbox add column arms text[], add column job_cents numeric(20, 6);
alter table public.ledger_attempts drop constraint ledger_attempts_kind_check;
alter table public.ledger_attempts add constraint ledger_attempts_kind_check
  check (kind in ('call', 'exact_hit', 'semantic_hit', 'shadow', 'judge'));

create table public.arm_rollups (
  tenant_id uuid not null references public.tenants on delete cascade,
  arm text not null,                      -- 'holdout/baseline', 'holdout/routed', or an experiment's id and an arm's name
  day date not null,                      -- UTC, of the attempt that ended the job
  answered bigint not null default 0,     -- jobs
  failed bigint not null default 0,
  unpriced bigint not null default 0,     -- whose last attempt has no known price
  cents numeric not null default 0,       -- sums over jobs, and sums of their squares
  cents_squared numeric not null default 0,
  baseline_cents numeric not null default 0,
  latency_ms numeric not null default 0,  -- of the attempts that answered
  latency_ms_squared numeric not null default 0,
  judged bigint not null default 0,
  quality double precision not null default 0,
  quality_squared double precision not null default 0,
  primary key (tenant_id, arm, day)
);

-- An answer's quality as somebody judged it. A source with more weight replaces one with less.
alter table public.outcomes add column source text not null default 'user'
  check (source in ('implicit', 'judge', 'user'));
alter table public.outcomes add column learned_quality real;  -- as the learner knows it; null: not at all
create index outcomes_to_learn on public.outcomes (observed_at) where learned_quality is distinct from quality;

create function private.weight_of(source text) returns integer
language sql immutable set search_path = '' as $$
  select case source when 'user' then 3 when 'judge' then 2 else 1 end
$$;

-- Sees what its caller sees.
create function private.programme_of(tenant uuid) returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object('salt', t.draw_salt, 'holdout_share', t.holdout_share,
    'baseline_model', t.baseline_model, 'experiments', coalesce((
    select jsonb_agg(jsonb_build_object('id', e.id, 'salt', e.salt, 'unit', e.unit, 'arms', e.arms) order by e.id)
    from public.experiments e where e.tenant_id = tenant and e.status = 'running'
  ), '[]'))
  from public.tenants t where t.id = tenant
$$;

-- As before, with the tenant's programme.
drop function private.authenticate_key(bytea);
create function private.authenticate_key(key_hash bytea)
returns table (key_id uuid, tenant_id uuid, scopes text[], models text[], cache_mode text, pii text, programme jsonb,
  valid_for double precision)
language sql stable security definer set search_path = '' as $$
  select k.id, k.tenant_id, k.scopes, k.models, t.cache_mode, t.pii, private.programme_of(t.id),
    extract(epoch from least(k.expires_at, case when k.old_hash = key_hash then k.old_hash_until end) - now())
  from public.api_keys k
  join public.tenants t on t.id = k.tenant_id
  where (k.hash = key_hash or k.old_hash = key_hash and k.old_hash_until > now())
    and k.revoked_at is null and (k.expires_at is null or k.expires_at > now())
$$;

do $$
declare
  noun text;
begin
  foreach noun in array array['arm_rollups'] loop
    execute format('alter table public.%I enable row level security', noun);
    execute format('alter table public.%I force row level security', noun);
    execute format(
      'create policy member_reads on public.%I for select to authenticated
         using (tenant_id = any (array(select private.my_tenants())))', noun);
    execute format(
      'create policy service_works on public.%I for all to aico_service
         using (tenant_id = any (array(select private.service_tenants())))
         with check (tenant_id = any (array(select private.service_tenants())))', noun);
    execute format('revoke all on public.%I from public, anon, authenticated', noun);
    execute format('grant select on public.%I to authenticated', noun);
    execute format('grant select, insert, update, delete on public.%I to aico_service', noun);
  end loop;
end $$;

revoke execute on all functions in schema public, private from public, anon, authenticated;
grant execute on all functions in schema private to aico_service;
grant execute on function private.my_tenants(), private.programme_of(uuid) to authenticated;
revoke execute on function private.my_tenants() from aico_service;
grant execute on function public.match_cache_entries, public.get_user_cache_stats to authenticated, aico_service;
