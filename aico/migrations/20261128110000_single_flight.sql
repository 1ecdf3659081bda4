-- Identical questions in flight are answered by one call: whoever is claimed first leads, the others wait for it without
-- a worker, a lease or a place, and are ended with its answer. They find each other by what they ask, not by who leads:
-- so nobody waits for a job that is gone.

-- With whom a job shares a call: its fingerprint, and what it was drawn into, for what is compared must not help each
-- other. Set when it is claimed; null: it shares with nobody.
alter table public.jobs add column flight bytea;
alter table public.jobs drop constraint jobs_stage_check;
alter table public.jobs add constraint jobs_stage_check check (stage in ('embed', 'route', 'lane', 'follow'));
-- A job is in at most one of them, and in none before it is claimed: storing it costs nothing more.
create index jobs_leading on public.jobs (tenant_id, flight)
  where flight is not null and stage <> 'follow' and status in ('queued', 'in_progress');
create index jobs_following on public.jobs (tenant_id, flight, id) where stage = 'follow' and status = 'in_progress';

-- What a job bears of another's call, or, below zero, what others bear of this one: in all it is nothing. `cost_cents`
-- stays what the provider asked for, whoever bears it; a job's cost is the sum of both over its attempts.
alter table public.ledger_attempts add column shared_cents numeric(20, 6);
alter table public.ledger_outbox add column shared_cents numeric(20, 6);
alter table public.ledger_attempts drop constraint ledger_attempts_kind_check;
alter table public.ledger_attempts add constraint ledger_attempts_kind_check
  check (kind in ('call', 'exact_hit', 'semantic_hit', 'shared', 'shadow', 'judge'));

-- Decides what becomes of a job that is to be claimed, in turn with all others of its flight. A row: it may be claimed,
-- and answered from the cache where `entry` says so, because the answer came after it was stored. No row: there is
-- nothing to claim, or it follows from now on. Lookups by index alone.
--
-- The leader's row is locked in share mode: whoever ends the leader comes either before, and its end is seen here, or
-- after, and sees this follower. That is why the leader is sought anew after each wait. A leader whose lease has run
-- out counts: it is taken over soon, and does not follow itself then, for the call that was lost is booked by it.
create function private.turn(tenant uuid, job uuid)
returns table (flight bytea, entry uuid, answer jsonb, routing jsonb)
language plpgsql volatile rows 1 set search_path = '' as $$
declare
  one record;
  leader uuid;
begin
  select j.fingerprint, j.api_key_id, j.deadline, j.status = 'queued' as fresh,
    j.stage = 'route' and (j.status = 'queued' and j.bell_at is not null and (j.run_after is null or j.run_after <= now())
      or j.status = 'in_progress' and j.lease_until < now()) as ready,
    (j.controls ->> 'max_staleness_seconds')::real as max_age,
    j.lane_model is null and (j.class = 'batch' or j.class = 'standard' and j.deadline_given) as patient,
    case when j.cache_mode in ('exact', 'semantic') and not coalesce((j.assigned ->> 'direct')::boolean, false)
        and j.assigned #>> '{treatment,cache}' is null
      then j.fingerprint || coalesce(decode(md5((j.assigned - 'user')::text), 'hex'), '') end as flies
  into one
  from public.jobs j
  where j.tenant_id = tenant and j.id = job;  -- and no more, so that the primary key is what is used
  if not found or not one.ready then
    return;
  end if;
  flight := one.flies;
  if flight is null then
    return next;
    return;
  end if;
  perform pg_advisory_xact_lock(hashtextextended(concat('flight ', tenant, encode(flight, 'hex')), 0));
  while one.fresh and one.max_age is distinct from 0 loop
    select l.id into leader from public.jobs l
    where l.tenant_id = tenant and l.flight = one.flies and l.id <> job
      and l.stage <> 'follow' and l.status in ('queued', 'in_progress') and (l.stage = 'route' and l.status = 'in_progress'
        or l.stage = 'lane' and one.patient and one.deadline >= l.deadline)
    limit 1;
    exit when not found;
    perform from public.jobs l
    where l.tenant_id = tenant and l.id = leader and l.status = 'in_progress' and l.stage in ('route', 'lane')
    for share;
    continue when not found;
    update public.jobs j
    set status = 'in_progress', stage = 'follow', flight = one.flies, fence = j.fence + 1, run_after = j.deadline,
      bell_at = clock_timestamp(), reserved_model = null
    where j.tenant_id = tenant and j.id = job and j.status = 'queued' and j.stage = 'route';
    return;
  end loop;
  select e.id, e.answer, e.routing into entry, answer, routing from public.cache_entries e
  where e.tenant_id = tenant and e.fingerprint = one.fingerprint and e.expires_at > now()
    and (one.max_age is null or e.created_at >= now() - make_interval(secs => one.max_age))
    and not exists (
      select from public.api_keys k
      where k.tenant_id = tenant and k.id = one.api_key_id and e.routing ->> 'model' <> all (k.models)
    );
  return next;
end $$;

-- Where a flight's followers have nobody any more to wait for, the oldest of them is to lead: at once, in the place of
-- whoever led. Somebody leads who is being asked, or will be at once; or who is parked for a provider's batch, for
-- those who can wait as long. `but` leads no more, whatever its row says. O(followers) at most, usually O(1).
create function private.hand_over(tenant uuid, flown bytea, but uuid) returns table (job_id uuid, class text)
language sql volatile rows 1 set search_path = '' as $$
  with next as materialized (  -- found once, whatever the plan
    select f.id from public.jobs f
    where f.tenant_id = tenant and f.flight = flown and f.stage = 'follow' and f.status = 'in_progress'
      and not exists (
        select from public.jobs l
        where l.tenant_id = tenant and l.flight = flown and l.id is distinct from but
          and l.stage <> 'follow' and l.status in ('queued', 'in_progress')
          and (l.stage = 'route' and (l.status = 'in_progress' or l.bell_at is not null and l.run_after is null)
            or l.stage = 'lane' and f.lane_model is null and f.deadline >= l.deadline
              and (f.class = 'batch' or f.class = 'standard' and f.deadline_given))
      )
    order by f.id limit 1
    for no key update of f skip locked
  )
  update public.jobs j set status = 'queued', stage = 'route', run_after = null, bell_at = now()
  from next
  where j.tenant_id = tenant and j.id = next.id
  returning j.id, j.class
$$;

-- Likewise of all tenants, for the sweeper: whatever became of a leader, its followers wait no longer than its round.
-- O(flights that have followers).
create function private.hand_over_stranded() returns table (tenant_id uuid, job_id uuid, class text)
language sql volatile security definer set search_path = '' as $$
  with recursive followed as (
    (
      select f.tenant_id, f.flight from public.jobs f where f.stage = 'follow' and f.status = 'in_progress'
      order by f.tenant_id, f.flight limit 1
    )
    union all
    select n.tenant_id, n.flight
    from followed w cross join lateral (
      select f.tenant_id, f.flight from public.jobs f
      where f.stage = 'follow' and f.status = 'in_progress' and (f.tenant_id, f.flight) > (w.tenant_id, w.flight)
      order by f.tenant_id, f.flight limit 1
    ) n
  )
  select w.tenant_id, h.job_id, h.class
  from followed w cross join lateral private.hand_over(w.tenant_id, w.flight, null) h
$$;

-- What the end of a leader means to those who wait for it, called while its row is locked. With an answer they are ended
-- too, `most` at a time, each bearing the same share of the cents, rounded down to a millionth; who may not be given that
-- model's answer, or comes after those, goes on without it: one of them leads. Rows: who has ended, with its share, and
-- who is to lead.
create function private.land(
  tenant uuid, leader uuid, flown bytea, shared_answer jsonb, shared_routing jsonb, cents numeric, most integer default 500
) returns table (job_id uuid, class text, share numeric, leads boolean)
language plpgsql volatile rows 1 set search_path = '' as $$
begin
  if not exists (
    select from public.jobs f
    where f.tenant_id = tenant and f.flight = flown and f.stage = 'follow' and f.status = 'in_progress'
  ) then
    return;
  end if;
  if shared_answer is not null then
    perform private.lock_limited(array[tenant]);
    return query
    with follower as (
      select f.id from public.jobs f
      where f.tenant_id = tenant and f.flight = flown and f.stage = 'follow' and f.status = 'in_progress'
        and not exists (
          select from public.api_keys k
          where k.tenant_id = tenant and k.id = f.api_key_id and shared_routing ->> 'model' <> all (k.models)
        )
      order by f.id limit most
      for no key update of f skip locked
    ),
    split as (
      select trunc(cents / (count(*) + 1), 6) as part from follower
    ),
    done as (
      update public.jobs j
      set status = 'completed', answer = shared_answer, finished_at = now(), run_after = null, embedding = null,
        served_from = leader, routing = shared_routing || jsonb_build_object('cache', 'shared',
          'cost_cents', (j.spent_cents + s.part)::text, 'attempts', j.attempts,
          'arms', coalesce(j.assigned -> 'arms', '[]'))
      from follower f, split s
      where j.tenant_id = tenant and j.id = f.id
      returning j.id, j.class as of_class, j.api_key_id, j.bell_at, j.spent_cents, s.part,
        nullif(array(select jsonb_array_elements_text(j.assigned -> 'arms')), '{}') as arms
    ),
    event as (
      insert into public.ledger_outbox (id, tenant_id, at, job_id, api_key_id, kind, outcome, provider, model,
        latency_ms, cost_cents, shared_cents, baseline_model, baseline_cost_cents, strategy, arms, job_cents)
      select gen_random_uuid(), tenant, now(), d.id, d.api_key_id, 'shared', 'ok', shared_routing ->> 'provider',
        shared_routing ->> 'model', greatest(0, extract(epoch from clock_timestamp() - d.bell_at) * 1000)::integer, 0,
        d.part, shared_routing ->> 'baseline_model', (shared_routing ->> 'baseline_cost_cents')::numeric,
        'single_flight', d.arms, case when d.arms is not null then d.spent_cents + coalesce(d.part, 0) end
      from done d
    )
    select d.id, d.of_class, d.part, false from done d;
  end if;
  return query select h.job_id, h.class, null::numeric, true from private.hand_over(tenant, flown, leader) h;
end $$;

-- As before; and what jobs bear of each other's calls is charged to whoever bears it, in cents alone.
create or replace function private.charge_quotas() returns trigger
language plpgsql set search_path = '' as $$
declare
  limited uuid[];
  hit record;
begin
  limited := array(
    select distinct f.tenant_id from fresh f
    where f.kind in ('call', 'shared') and exists (select from public.quotas q where q.tenant_id = f.tenant_id));
  if cardinality(limited) = 0 then
    return null;
  end if;
  perform private.lock_limited(limited);
  for hit in
    with charged as (
      insert into public.quota_windows as w (tenant_id, scope, period, unit, starts_at, used)
      select f.tenant_id, q.scope, q.period, q.unit,
        private.window_start(q.period, coalesce(j.created_at, f.at)) as starts_at,
        sum(case q.unit when 'tokens' then f.input_uncached + f.cache_read + f.cache_write + f.output
          when 'cents' then coalesce(f.cost_cents, 0) + coalesce(f.shared_cents, 0)
          else (f.outcome = 'ok' and f.kind = 'call')::integer end) as used
      from fresh f
      left join public.jobs j on j.tenant_id = f.tenant_id and j.id = f.job_id
      join (
        select distinct l.tenant_id, l.scope, l.period, l.unit from public.quotas l where l.tenant_id = any (limited)
      ) q on q.tenant_id = f.tenant_id
        and q.scope = any (private.scopes_of(coalesce(f.api_key_id, j.api_key_id), j.tags))
      where f.kind in ('call', 'shared')
      group by f.tenant_id, q.scope, q.period, q.unit, starts_at
      on conflict on constraint quota_windows_pkey do update set used = w.used + excluded.used
      returning w.*
    )
    select c.tenant_id, c.alerted,
      (c.scope, c.period, c.unit, l.source, l.quota, c.starts_at, c.used, c.reserved)::private.open_quota as passed
    from charged c
    cross join lateral (
      select q.quota, q.source from public.quotas q
      where q.tenant_id = c.tenant_id and (q.scope, q.period, q.unit) = (c.scope, c.period, c.unit)
      order by q.quota, q.source limit 1
    ) l
    where c.period <> 'minute' and c.starts_at = private.window_start(c.period, now())
      and private.alert_level(c.used, l.quota) > c.alerted
    order by c.tenant_id
  loop
    perform private.tell_thresholds(hit.tenant_id, hit.passed, hit.alerted);
  end loop;
  return null;
end $$;

-- As before, with what jobs bear of each other's calls: of a whole tenant that is nothing.
create or replace function private.used_since(
  tenant uuid, quota_scope text, quota_period text, quota_unit text, since timestamptz
) returns numeric
language sql stable set search_path = '' as $$
  with attempt as (
    select a.outcome = 'ok' and a.kind = 'call' as answered,
      a.input_uncached + a.cache_read + a.cache_write + a.output as tokens,
      coalesce(a.cost_cents, 0) + coalesce(a.shared_cents, 0) as cents
    from public.ledger_attempts a left join public.jobs j on j.tenant_id = tenant and j.id = a.job_id
    where quota_scope <> 'tenant' and a.tenant_id = tenant and a.at >= since and a.kind in ('call', 'shared')
      and quota_scope = any (private.scopes_of(coalesce(a.api_key_id, j.api_key_id), j.tags))
    union all
    select o.outcome = 'ok' and o.kind = 'call', o.input_uncached + o.cache_read + o.cache_write + o.output,
      coalesce(o.cost_cents, 0) + case when quota_scope = 'tenant' then 0 else coalesce(o.shared_cents, 0) end
    from public.ledger_outbox o left join public.jobs j on j.tenant_id = tenant and j.id = o.job_id
    where o.tenant_id = tenant and o.at >= since and o.kind in ('call', 'shared')
      and quota_scope = any (private.scopes_of(coalesce(o.api_key_id, j.api_key_id), j.tags))
  ),
  counted as (
    select r.answered as requests, r.input_tokens + r.output_tokens as tokens, r.cost_cents as cents
    from public.rollups r
    where quota_scope = 'tenant' and r.tenant_id = tenant and r.bucket >= since and r.kind = 'call'
      and r.grain = case quota_period when 'minute' then 'minute' else 'day' end
    union all
    select a.answered::integer, a.tokens, a.cents from attempt a
  )
  select coalesce(sum(case quota_unit when 'tokens' then c.tokens when 'cents' then c.cents else c.requests end), 0)
  from counted c
$$;

do $$
declare
  made regprocedure;
begin
  foreach made in array array[
    'private.turn(uuid, uuid)', 'private.hand_over(uuid, bytea, uuid)', 'private.hand_over_stranded()',
    'private.land(uuid, uuid, bytea, jsonb, jsonb, numeric, integer)'
  ]::regprocedure[] loop
    execute format('revoke execute on function %s from public, anon, authenticated', made);
    execute format('grant execute on function %s to aico_service', made);
  end loop;
end $$;
