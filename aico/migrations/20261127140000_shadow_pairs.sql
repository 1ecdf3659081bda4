-- How good answers were: one way to note it, sums of it, and pairs of answers that a judge compares.
alter table public.tenants
  add column implicit_outcomes boolean not null default true,  -- whether what callers do next counts as a judgement
  add column shadow_rate real check (shadow_rate between 0 and 1),  -- null: the service's, which is the most
  add column judge_model text,            -- null: the service's
  add column judge_daily_cents numeric(20, 6) check (judge_daily_cents >= 0),  -- null: the service's, which is the most
  add column compare_with_own_keys boolean not null default false;

-- Sums of what is in `outcomes`, by who judged, kept by the function that writes there.
create table public.outcome_rollups (
  tenant_id uuid not null references public.tenants on delete cascade,
  day date not null,                      -- UTC, on which the job ended
  model text not null,
  task text not null,                     -- as it was read off the prompt; empty: not known
  source text not null check (source in ('implicit', 'judge', 'user')),
  judged bigint not null default 0,
  quality double precision not null default 0,
  quality_squared double precision not null default 0,
  primary key (tenant_id, day, model, task, source)
);

-- Pairs that were judged, as the first of the two models by name sees them.
create table public.pair_rollups (
  tenant_id uuid not null references public.tenants on delete cascade,
  day date not null,                      -- UTC, on which they were judged
  model text not null,
  rival text not null,
  task text not null,
  wins bigint not null default 0,
  ties bigint not null default 0,
  losses bigint not null default 0,
  primary key (tenant_id, day, model, rival, task),
  check (model < rival)
);

-- An answered job that another model is to answer too, so that a judge can compare the two. Gone with the job.
create table public.shadow_pairs (
  tenant_id uuid not null references public.tenants on delete cascade,
  job_id uuid not null,
  served text not null,                   -- the model whose answer the caller has
  rival text,                             -- the other one, once it has been chosen
  judge text,                             -- likewise
  status text not null default 'waiting' check (status in ('waiting', 'judged', 'dropped')),
  reason text,                            -- why it was dropped
  answer text,                            -- the rival's, until the pair has ended; shown to no caller
  first_verdict text check (first_verdict in ('served', 'rival', 'tie')),   -- with the served answer in the first place
  second_verdict text check (second_verdict in ('served', 'rival', 'tie')),  -- and in the second
  result text check (result in ('served', 'rival', 'tie')),
  calling jsonb,                          -- the call under way, with the id under which it is booked
  held_cents numeric(20, 6) not null default 0,  -- put aside for calls to come, on the day below
  held_on date,
  tries integer not null default 0,       -- that failed
  created_at timestamptz not null default now(),
  step_at timestamptz not null default now(),
  finished_at timestamptz,
  fence bigint not null default 0,        -- grows with each claim; an older holder changes nothing
  lease_until timestamptz,
  primary key (tenant_id, job_id),
  foreign key (tenant_id, job_id) references public.jobs (tenant_id, id) on delete cascade
);
create index shadow_pairs_due on public.shadow_pairs (step_at) where finished_at is null;

-- What comparing has cost on a day, UTC, and what is put aside for pairs under way; of a tenant, and of all together.
create table public.judge_days (
  tenant_id uuid not null references public.tenants on delete cascade,
  day date not null,
  cents numeric(20, 6) not null default 0,
  held_cents numeric(20, 6) not null default 0,
  primary key (tenant_id, day)
);
create table private.judge_days (
  day date primary key,
  cents numeric(20, 6) not null default 0,
  held_cents numeric(20, 6) not null default 0
);
alter table private.judge_days enable row level security;

do $$
declare
  noun text;
begin
  foreach noun in array array['outcome_rollups', 'pair_rollups', 'shadow_pairs', 'judge_days'] loop
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
    execute format('grant select, insert, update, delete on public.%I to aico_service', noun);
  end loop;
end $$;
-- Not shadow_pairs: an answer that no caller was given is shown to no member either.
grant select on public.outcome_rollups, public.pair_rollups, public.judge_days to authenticated;

-- Notes how good the answer of a model to an answered job was, or would have been, with all sums that depend on it.
-- Whether it stands: a judgement of less weight leaves one of more weight as it is. Null: there is no such job. The job's
-- row is locked, so that two judgements of it follow one another; the same one again changes nothing.
create function private.observe(tenant uuid, job uuid, by_model text, seen real, seen_by text) returns boolean
language plpgsql volatile set search_path = '' as $$
declare
  judged record;
  prior record;
  fresh integer := 1;
  quality_before double precision := 0;
begin
  select j.api_key_id, j.assigned ->> 'user' as drawn_user, j.routing ->> 'model' as answered_by,
    coalesce(j.routing ->> 'task', '') as task,
    (j.finished_at at time zone 'UTC')::date as day, j.assigned -> 'arms' as arms
  into judged
  from public.jobs j where j.tenant_id = tenant and j.id = job and j.answer is not null for no key update;
  if not found then
    return null;
  end if;
  select o.quality, o.source into prior
  from public.outcomes o where o.tenant_id = tenant and o.job_id = job and o.model = by_model;
  if found then
    if private.weight_of(seen_by) < private.weight_of(prior.source) then
      return false;
    elsif prior.quality = seen and prior.source = seen_by then
      return true;
    end if;
    fresh := 0;
    quality_before := prior.quality;
    update public.outcome_rollups r set judged = r.judged - 1, quality = r.quality - quality_before,
      quality_squared = r.quality_squared - quality_before ^ 2
    where r.tenant_id = tenant and r.day = judged.day and r.model = by_model and r.task = judged.task
      and r.source = prior.source;
  end if;
  insert into public.outcomes as o (tenant_id, job_id, model, quality, source)
  values (tenant, job, by_model, seen, seen_by)
  on conflict (tenant_id, job_id, model) do update
    set quality = excluded.quality, source = excluded.source, observed_at = now();
  insert into public.outcome_rollups as r (tenant_id, day, model, task, source, judged, quality, quality_squared)
  values (tenant, judged.day, by_model, judged.task, seen_by, 1, seen, seen::double precision ^ 2)
  on conflict (tenant_id, day, model, task, source) do update set judged = r.judged + 1,
    quality = r.quality + excluded.quality, quality_squared = r.quality_squared + excluded.quality_squared;
  if judged.answered_by = by_model then  -- an arm is judged by the answers that it gave
    insert into public.arm_rollups as r (tenant_id, arm, day, judged, quality, quality_squared)
    select tenant, a.arm, judged.day, fresh, seen - quality_before, seen::double precision ^ 2 - quality_before ^ 2
    from jsonb_array_elements_text(judged.arms) as a (arm) order by a.arm
    on conflict (tenant_id, arm, day) do update set judged = r.judged + excluded.judged,
      quality = r.quality + excluded.quality, quality_squared = r.quality_squared + excluded.quality_squared;
    insert into public.assignments as a (tenant_id, experiment_id, unit, arm, propensity, judged, quality)
    select tenant, e.id, u.unit, substr(x.arm, 38), private.propensity_of(e.arms, substr(x.arm, 38)), fresh,
      seen - quality_before
    from jsonb_array_elements_text(judged.arms) as x (arm)
    join public.experiments e on e.tenant_id = tenant and e.id = private.experiment_of(x.arm) and e.unit <> 'job'
    cross join lateral (
      select case when e.unit = 'key' then judged.api_key_id::text else judged.drawn_user end as unit
    ) u
    where u.unit is not null order by e.id for key share of e
    on conflict (tenant_id, experiment_id, unit) do update set judged = a.judged + excluded.judged,
      quality = a.quality + excluded.quality;
  end if;
  return true;
end $$;

-- A key that asks again for a new answer, so soon after one that might have come from the cache, was not content with it:
-- the same question, created within `since` and `until`, with the cache off or refreshed, at most `patience` after an
-- answer under a cache mode that reads. Returns how many answers were judged so. Of each tenant it reads the jobs of that
-- time along the primary key: O(tenants + jobs of the time).
create function private.observe_repeats(since timestamptz, until timestamptz, patience interval, seen real)
returns bigint
language sql volatile security definer set search_path = '' as $$
  select count(*) from (
    select private.observe(t.id, r.id, r.model, seen, 'implicit') as stands
    from public.tenants t
    cross join lateral (
      select distinct e.id, e.routing ->> 'model' as model
      from public.jobs l
      join public.jobs e on e.tenant_id = t.id and e.id >= private.first_id_at(since - patience) and e.id < l.id
        and e.fingerprint = l.fingerprint and e.api_key_id is not distinct from l.api_key_id
      where l.tenant_id = t.id and l.id >= private.first_id_at(since) and l.id < private.first_id_at(until)
        and l.cache_mode in ('off', 'refresh') and e.cache_mode in ('exact', 'semantic')
        and e.answer is not null and e.finished_at between l.created_at - patience and l.created_at
      order by e.id
    ) r
    where t.implicit_outcomes
  ) o where o.stands
$$;

create function private.today() returns date
language sql stable set search_path = '' as $$
  select (now() at time zone 'UTC')::date
$$;

-- Whether what is needed has room in a budget beside what was spent and is put aside: `held`, and it may be put aside;
-- `busy`, once others have given back what they do not need; or `spent`.
create function private.judging_room(budget numeric, spent numeric, aside numeric, needed numeric) returns text
language sql immutable set search_path = '' as $$
  select case when spent + aside + needed <= budget then 'held' when spent + needed <= budget then 'busy' else 'spent' end
$$;

-- Puts aside from the budget of all tenants together, if it has room.
create function private.hold_of_service(on_day date, needed numeric, budget numeric) returns text
language plpgsql volatile security definer set search_path = '' as $$
declare
  room text;
begin
  insert into private.judge_days (day) values (on_day) on conflict do nothing;
  select private.judging_room(budget, d.cents, d.held_cents, needed) into room
  from private.judge_days d where d.day = on_day for update;
  if room = 'held' then
    update private.judge_days d set held_cents = d.held_cents + needed where d.day = on_day;
  end if;
  return room;
end $$;

-- Adds to what all tenants together have spent, and takes from what they have put aside.
create function private.settle_of_service(on_day date, spent numeric, freed numeric) returns void
language sql volatile security definer set search_path = '' as $$
  insert into private.judge_days as d (day, cents) values (on_day, spent)
  on conflict (day) do update set cents = d.cents + spent, held_cents = d.held_cents - freed
$$;

-- Puts aside what the calls of a pair may cost, in place of what an earlier holder put aside: `held`, or why there is no
-- room; null: the claim is lost. The day's rows are locked, so that no number of pairs at once exceeds a budget.
create function private.hold_for_judging(
  tenant uuid, job uuid, held_fence bigint, needed numeric, tenant_budget numeric, service_budget numeric
) returns text
language plpgsql volatile set search_path = '' as $$
declare
  today date := private.today();
  room text;
begin
  update public.shadow_pairs p set held_cents = 0
  where p.tenant_id = tenant and p.job_id = job and p.fence = held_fence and p.finished_at is null;
  if not found then
    return null;
  end if;
  insert into public.judge_days (tenant_id, day) values (tenant, today) on conflict do nothing;
  select private.judging_room(tenant_budget, d.cents, d.held_cents, needed) into room
  from public.judge_days d where d.tenant_id = tenant and d.day = today for update;
  if room = 'held' then
    room := private.hold_of_service(today, needed, service_budget);
  end if;
  if room = 'held' then
    update public.judge_days d set held_cents = d.held_cents + needed where d.tenant_id = tenant and d.day = today;
    update public.shadow_pairs p set held_cents = needed, held_on = today
    where p.tenant_id = tenant and p.job_id = job and p.fence = held_fence;
  end if;
  return room;
end $$;

-- What a call cost in the end, whatever the budget.
create function private.spend_on_judging(tenant uuid, amount numeric) returns void
language sql volatile set search_path = '' as $$
  insert into public.judge_days as d (tenant_id, day, cents) values (tenant, private.today(), amount)
  on conflict (tenant_id, day) do update set cents = d.cents + excluded.cents;
  select private.settle_of_service(private.today(), amount, 0);
$$;

-- Gives back what was put aside and is not needed.
create function private.release_judging() returns trigger
language plpgsql set search_path = '' as $$
declare
  freed numeric := old.held_cents - case when tg_op = 'UPDATE' then new.held_cents else 0 end;
begin
  update public.judge_days d set held_cents = d.held_cents - freed
  where d.tenant_id = old.tenant_id and d.day = old.held_on;
  perform private.settle_of_service(old.held_on, 0, freed);
  return null;
end $$;
create trigger shadow_pairs_release after update on public.shadow_pairs for each row
  when (new.held_cents < old.held_cents) execute function private.release_judging();
create trigger shadow_pairs_release_deleted after delete on public.shadow_pairs for each row
  when (old.held_cents > 0) execute function private.release_judging();

-- Pairs whose next step is due and that nobody is at; only ids, for the sweeper to ring. O(batch_size).
create function private.due_pairs(batch_size integer) returns table (tenant_id uuid, job_id uuid)
language sql stable security definer set search_path = '' as $$
  select p.tenant_id, p.job_id from public.shadow_pairs p
  where p.finished_at is null and p.step_at <= now() and (p.lease_until is null or p.lease_until < now())
  order by p.step_at limit batch_size
$$;

revoke execute on all functions in schema public, private from public, anon, authenticated;
grant execute on all functions in schema private to aico_service;
grant execute on function private.my_tenants(), private.programme_of(uuid) to authenticated;
revoke execute on function private.my_tenants() from aico_service;
grant execute on function public.match_cache_entries, public.get_user_cache_stats to authenticated, aico_service;
