-- What was decided for each job that a model answered, and what the tenant's outcomes have taught since.

-- Its words are in the job; here are numbers, from which a learner learns and by which a policy is judged afterwards.
create table public.decisions (
  tenant_id uuid not null references public.tenants on delete cascade,
  job_id uuid not null,                   -- version 7: sorts by creation
  at timestamptz not null default now(),  -- of the decision
  task text not null,                     -- the kind of prompt
  strategy text not null,
  policy_version text not null,
  learned_version bigint,                 -- what had been learned then; null: nothing that counted
  asked text not null,                    -- a model's id, or `auto` and its like, as the job's treatment has it
  first_choice text not null,
  model text,                             -- that answered; null: not yet
  score real not null,
  confidence text not null,
  propensity real not null check (propensity > 0 and propensity <= 1),  -- of the first choice
  chances jsonb not null,                 -- by model: that it came first
  expected jsonb not null,                -- by model: the quality that was expected
  cents jsonb not null,                   -- by model that could answer: the cost that was expected; unknown: left out
  cost_cents numeric(20, 6),              -- of all attempts; null: unknown
  design text not null,                   -- what the numbers are of; those of another cannot be compared
  features bytea not null,                -- float16, little end first: the design's vector without the prompt's
  embedding extensions.halfvec(384),      -- of the last turn; null: not made
  primary key (tenant_id, job_id)
);

-- One learner of each tenant: who is at it, and which solution counts.
create table public.learners (
  tenant_id uuid primary key references public.tenants on delete cascade,
  version bigint not null default 0,      -- the newest
  pinned bigint,                          -- this one counts instead, until somebody lets go of it
  clock double precision not null default 0,  -- grows as it learns: what was learned at c counts for exp(c - clock)
  due_at timestamptz not null default now(),  -- when it may learn again
  fence bigint not null default 0,        -- grows with each claim and each change; an older holder changes nothing
  lease_until timestamptz,
  updated_at timestamptz
);

-- Sums over the outcomes of a model; their size does not grow.
create table public.learner_statistics (
  tenant_id uuid not null references public.tenants on delete cascade,
  model text not null,
  design text not null,
  statistics bytea not null,
  labels double precision not null,       -- outcomes, less what was forgotten by then
  clock double precision not null,        -- the learner's when this was written: what it forgot since is to be taken off
  tasks jsonb not null,                   -- by task: outcomes and the sum of their qualities; nothing is forgotten
  updated_at timestamptz not null default now(),
  primary key (tenant_id, model)
);
alter table public.learner_statistics alter column statistics set storage external;  -- noise is not compressed

-- What routing decides by. Versions are kept for a while, so that decisions can be traced and taken back to one.
create table public.learner_solutions (
  tenant_id uuid not null references public.tenants on delete cascade,
  version bigint not null,
  design text not null,
  solution bytea not null,
  labels double precision not null,
  target real,                            -- quality, as a share of the best single model's
  price double precision,                 -- of quality, with which recent traffic reaches it; null: not known
  created_at timestamptz not null default now(),
  primary key (tenant_id, version)
);
alter table public.learner_solutions alter column solution set storage external;

alter table public.outcomes add column learned_clock double precision;  -- the learner's then; null: it taught nothing
drop index public.outcomes_to_learn;
create index outcomes_to_learn on public.outcomes (tenant_id, observed_at) where learned_quality is distinct from quality;

-- Which tenants have enough outcomes, or old enough ones, that nobody has learned from. O(tenants that have any).
create function private.due_learners(enough integer, patience interval, batch_size integer) returns setof uuid
language sql stable security definer set search_path = '' as $$
  with recursive waiting as (
    (select o.tenant_id from public.outcomes o where o.learned_quality is distinct from o.quality
     order by o.tenant_id limit 1)
    union all
    select (select o.tenant_id from public.outcomes o
            where o.learned_quality is distinct from o.quality and o.tenant_id > w.tenant_id
            order by o.tenant_id limit 1)
    from waiting w where w.tenant_id is not null
  )
  select w.tenant_id
  from waiting w left join public.learners l on l.tenant_id = w.tenant_id
  where w.tenant_id is not null and (l.due_at is null or l.due_at <= now())
    and (l.lease_until is null or l.lease_until < now())
    and (
      (select o.observed_at from public.outcomes o
       where o.tenant_id = w.tenant_id and o.learned_quality is distinct from o.quality
       order by o.observed_at limit 1) <= now() - patience
      or exists (
        select from public.outcomes o
        where o.tenant_id = w.tenant_id and o.learned_quality is distinct from o.quality
        order by o.observed_at offset enough - 1 limit 1
      )
    )
  limit batch_size
$$;

-- As before; what was decided goes with the job.
create or replace function private.purge_jobs(kept interval, batch_size integer) returns bigint
language sql volatile security definer set search_path = '' as $$
  with old as (
    delete from public.jobs j
    using (
      select l.tenant_id, l.id
      from public.tenants t
      left join public.retention r on r.tenant_id = t.id
      cross join lateral (select now() - coalesce(make_interval(days => r.jobs_days), kept) as until) limits
      cross join lateral (
        select o.tenant_id, o.id from public.jobs o
        where o.tenant_id = t.id and o.id < private.first_id_at(limits.until) and o.finished_at < limits.until
          and not exists (
            select from public.batches b
            where b.tenant_id = o.tenant_id and b.id = o.batch_id and b.finished_at is null
          )
        order by o.id limit batch_size for update skip locked
      ) l
      limit batch_size
    ) l
    where j.tenant_id = l.tenant_id and j.id = l.id
    returning j.tenant_id, j.id
  ),
  judged as (
    delete from public.feedback f using old where f.tenant_id = old.tenant_id and f.job_id = old.id
  ),
  decided as (
    delete from public.decisions d using old where d.tenant_id = old.tenant_id and d.job_id = old.id
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

do $$
declare
  noun text;
begin
  foreach noun in array array['decisions', 'learners', 'learner_statistics', 'learner_solutions'] loop
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
