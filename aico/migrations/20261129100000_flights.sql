-- As before, with three things that its followers ask for. An answer that the leader itself was given from the cache,
-- as `entry`, is for those alone who take one that old. None bears more than its own limit leaves. And who has
-- another's answer names the job that paid for it, however many it went through: it is erased with that.
drop function private.land(uuid, uuid, bytea, jsonb, jsonb, numeric, integer);
create function private.land(
  tenant uuid, leader uuid, flown bytea, shared_answer jsonb, shared_routing jsonb, cents numeric,
  entry uuid default null, most integer default 500
) returns table (job_id uuid, class text, share numeric, leads boolean)
language plpgsql volatile rows 1 set search_path = '' as $$
declare
  payer uuid := leader;
  kept_at timestamptz;  -- null: the answer is new
begin
  if not exists (
    select from public.jobs f
    where f.tenant_id = tenant and f.flight = flown and f.stage = 'follow' and f.status = 'in_progress'
  ) then
    return;
  end if;
  if shared_answer is not null then
    perform private.lock_limited(array[tenant]);
    if entry is not null then
      select e.job_id, e.created_at into payer, kept_at from public.cache_entries e
      where e.tenant_id = tenant and e.id = entry;
    end if;
    return query
    with follower as (
      select f.id, (f.controls ->> 'max_cost_cents')::numeric - f.spent_cents as room from public.jobs f
      where f.tenant_id = tenant and f.flight = flown and f.stage = 'follow' and f.status = 'in_progress'
        and (kept_at is null or f.controls ->> 'max_staleness_seconds' is null
          or kept_at >= now() - make_interval(secs => (f.controls ->> 'max_staleness_seconds')::double precision))
        and not exists (
          select from public.api_keys k
          where k.tenant_id = tenant and k.id = f.api_key_id and shared_routing ->> 'model' <> all (k.models)
        )
      order by f.id limit most
      for no key update of f skip locked
    ),
    equal as (
      select trunc(cents / (count(*) + 1), 6) as part from follower
    ),
    split as (  -- a cost that nobody knows stays unknown
      select f.id, case when e.part is not null then greatest(least(e.part, f.room), 0) end as part
      from follower f, equal e
    ),
    done as (
      update public.jobs j
      set status = 'completed', answer = shared_answer, finished_at = now(), run_after = null, embedding = null,
        served_from = payer, routing = shared_routing || jsonb_build_object('cache', 'shared',
          'cost_cents', (j.spent_cents + s.part)::text, 'attempts', j.attempts,
          'arms', coalesce(j.assigned -> 'arms', '[]'))
      from split s
      where j.tenant_id = tenant and j.id = s.id
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

-- As before, and usually O(1) however many follow: a leader that all of them wait for is looked up once, and not anew
-- for each. O(followers) where their leader is parked for a provider's batch.
create or replace function private.hand_over(tenant uuid, flown bytea, but uuid) returns table (job_id uuid, class text)
language sql volatile rows 1 set search_path = '' as $$
  with next as materialized (  -- found once, whatever the plan
    select f.id from public.jobs f
    where f.tenant_id = tenant and f.flight = flown and f.stage = 'follow' and f.status = 'in_progress'
      and not exists (  -- of all alike: looked up once
        select from public.jobs l
        where l.tenant_id = tenant and l.flight = flown and l.id is distinct from but
          and l.stage <> 'follow' and l.status in ('queued', 'in_progress') and l.stage = 'route'
          and (l.status = 'in_progress' or l.bell_at is not null and l.run_after is null)
      )
      and not exists (
        select from public.jobs l
        where l.tenant_id = tenant and l.flight = flown and l.id is distinct from but
          and l.stage <> 'follow' and l.status in ('queued', 'in_progress') and l.stage = 'lane'
          and f.lane_model is null and f.deadline >= l.deadline
          and (f.class = 'batch' or f.class = 'standard' and f.deadline_given)
      )
    order by f.id limit 1
    for no key update of f skip locked
  )
  update public.jobs j set status = 'queued', stage = 'route', run_after = null, bell_at = now()
  from next
  where j.tenant_id = tenant and j.id = next.id
  returning j.id, j.class
$$;

-- As before, but of a job that in the end shared an answer, or found one to the same question, nothing is compared: it
-- was not called for, and whoever was has a check of its own.
create or replace function private.take_on_checks(batch_size integer) returns bigint
language sql volatile security definer set search_path = '' as $$
  with looked as (
    select c.tenant_id, c.job_id, j.status in ('queued', 'in_progress') as open, j.routing ->> 'model' as served,
      case when c.kind not in ('hit', 'asked') then e.model end as rival,
      j.status = 'completed' and j.answer is not null and j.routing ->> 'model' is not null
        and (c.kind in ('hit', 'asked') or e.id is not null and j.served_from is null)
        and (c.kind <> 'asked' or j.served_from is not null) as usable
    from public.cache_checks c
    join public.jobs j on j.tenant_id = c.tenant_id and j.id = c.job_id
    left join public.cache_entries e on e.tenant_id = c.tenant_id and e.id = c.entry_id
      and e.created_at <= c.created_at and e.expires_at > now()
    where c.step_at <= now()
    order by c.step_at limit batch_size for update of c skip locked
  ),
  paired as (
    insert into public.shadow_pairs (tenant_id, job_id, purpose, served, rival)
    select l.tenant_id, l.job_id, 'cache', l.served, l.rival from looked l where l.usable
    on conflict do nothing
  ),
  moved as (
    update public.cache_checks c
    set step_at = case when l.open
        then now() + least(interval '10 minutes', greatest(interval '1 second', (now() - c.created_at) / 2)) end,
      status = case when l.open or l.usable then c.status else 'dropped' end,
      embedding = case when l.open or l.usable then c.embedding end
    from looked l where c.tenant_id = l.tenant_id and c.job_id = l.job_id
    returning 1
  )
  select count(*) from moved
$$;

do $$
declare
  made regprocedure := 'private.land(uuid, uuid, bytea, jsonb, jsonb, numeric, uuid, integer)';
begin
  execute format('revoke execute on function %s from public, anon, authenticated', made);
  execute format('grant execute on function %s to aico_service', made);
end $$;
