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

-- As before; and what was under way may have been a question to a judge. It is booked as that and under its own id, so
-- that whoever asked it after all does not book it again; and not at all where it is booked.
create or replace function private.end_overdue_jobs(max_losses integer, batch_size integer)
returns table (tenant_id uuid, id uuid, status text)
language sql volatile security definer set search_path = '' as $$
  with overdue as (
    select l.tenant_id, l.id from public.jobs l
    where l.status in ('queued', 'in_progress') and l.deadline < now()
      and (l.lease_until is null or l.lease_until < now())
    order by l.deadline limit batch_size
    for update skip locked
  ),
  hopeless as (
    select l.tenant_id, l.id from public.jobs l
    where l.status = 'in_progress' and l.lease_until is not null and l.lease_until < now()
      and l.losses + 1 >= max_losses
    order by l.lease_until limit batch_size
    for update skip locked
  ),
  ending as (
    select * from overdue union select * from hopeless
  ),
  late as (
    select j.tenant_id, j.id, j.api_key_id, j.calling from public.jobs j
    join ending l on l.tenant_id = j.tenant_id and l.id = j.id
    where j.status = 'in_progress' and j.lease_until is not null
  ),
  lost as (
    insert into public.ledger_outbox (id, tenant_id, at, job_id, api_key_id, kind, outcome, provider, model,
      latency_ms, cost_cents, price_version, error, key_source, strategy)
    select coalesce((l.calling ->> 'id')::uuid, gen_random_uuid()), l.tenant_id,
      coalesce((l.calling ->> 'at')::timestamptz, now()), l.id, l.api_key_id, coalesce(l.calling ->> 'kind', 'call'),
      'lost',
      coalesce(l.calling ->> 'provider', 'unknown'), coalesce(l.calling ->> 'model', 'unknown'), 0,
      (l.calling ->> 'cents')::numeric, case when l.calling ->> 'cents' is not null then 'estimate' end,
      'the worker that held the job died', coalesce(l.calling ->> 'key_source', 'operator'),
      case l.calling ->> 'kind' when 'judge' then 'cache' end
    from late l
    where not coalesce((l.calling ->> 'booked')::boolean, false)
    on conflict do nothing
  ),
  done as (
    update public.jobs j set
      status = case when j.deadline < now() then 'expired' else 'failed' end,
      error = case when j.deadline < now()
        then jsonb_build_object('code', 'deadline_exceeded', 'message', 'no answer before the deadline')
        else jsonb_build_object('code', 'worker_lost', 'message', 'its worker failed ' || j.losses + 1 || ' times') end,
      finished_at = now(), lease_until = null, run_after = null, calling = null, embedding = null, fence = j.fence + 1
    from ending l, (
      select private.lock_limited(array(select distinct e.tenant_id from ending e)) offset 0
    ) locked
    where j.tenant_id = l.tenant_id and j.id = l.id
    returning j.tenant_id, j.id, j.status
  ),
  told as (
    select a.* from (
      select array_agg(d.tenant_id) as tenants, array_agg(d.id) as jobs, array_agg(d.status) as statuses
      from done d having count(*) > 0
    ) ended, lateral private.announce(ended.tenants, ended.jobs, ended.statuses) a
  )
  select d.tenant_id, d.id, d.status from done d where (select count(*) from told) >= 0
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

-- As before, and what a judge was asked in place of a call is part of what its job cost.
create or replace function private.reprice(tenant uuid, run uuid, actor text, changes jsonb, closed date) returns bigint
language plpgsql volatile security definer set search_path = '' as $$
declare
  count_changed bigint;
begin
  perform pg_advisory_xact_lock(hashtextextended('reprice ' || tenant::text, 0));  -- one after the other
  with wanted as (
    select c.* from jsonb_to_recordset(changes)
      as c (at timestamptz, id uuid, cost_cents numeric, price_version text, baseline_cost_cents numeric)
    where tenant in (select private.service_tenants())
  ),
  held as (
    select l.at, l.id, l.job_id, private.is_charged(l.kind, l.strategy) as charged, w.cost_cents, w.price_version,
      w.baseline_cost_cents,
      coalesce(w.cost_cents, 0) - coalesce(l.cost_cents, 0) as dearer
    from public.ledger_attempts l join wanted w on w.at = l.at and w.id = l.id
    where l.tenant_id = tenant and l.kind not in ('exact_hit', 'semantic_hit', 'shared')
      and (l.cost_cents, l.price_version, l.baseline_cost_cents)
        is distinct from (w.cost_cents, w.price_version, w.baseline_cost_cents)
    order by l.at, l.id
    for no key update of l
  ),
  jobs as (
    select h.job_id, sum(h.dearer) as dearer from held h where h.charged group by h.job_id
  ),
  drawn as (  -- where a job's arms are told what all of its attempts cost
    select l.at, l.id, j.dearer from public.ledger_attempts l join jobs j on j.job_id = l.job_id
    where l.tenant_id = tenant and l.job_cents is not null
    for no key update of l
  ),
  -- What stands there now: nobody else changes prices meanwhile.
  before as (
    select l.at, l.id, l.kind, l.outcome, l.provider, l.model, l.key_source, l.arms, l.cost_cents, l.price_version,
      l.baseline_cost_cents, l.job_cents, h.id is not null as repriced, d.dearer
    from (select at, id from held union select at, id from drawn) t
    join public.ledger_attempts l on l.tenant_id = tenant and l.at = t.at and l.id = t.id
    left join held h on h.at = t.at and h.id = t.id
    left join drawn d on d.at = t.at and d.id = t.id
  ),
  changed as (
    update public.ledger_attempts l set
      cost_cents = case when b.repriced then h.cost_cents else l.cost_cents end,
      price_version = case when b.repriced then h.price_version else l.price_version end,
      baseline_cost_cents = case when b.repriced then h.baseline_cost_cents else l.baseline_cost_cents end,
      job_cents = l.job_cents + coalesce(b.dearer, 0)
    from before b left join held h on h.at = b.at and h.id = b.id
    where l.tenant_id = tenant and l.at = b.at and l.id = b.id
    returning l.at, l.id, l.kind, l.outcome, l.provider, l.model, l.key_source, l.arms, b.repriced,
      l.cost_cents as cost, l.baseline_cost_cents as baseline, l.job_cents as job,
      b.cost_cents as old_cost, b.price_version as old_version, b.baseline_cost_cents as old_baseline, b.job_cents as old_job
  ),
  noted as (
    insert into public.ledger_corrections (tenant_id, at, attempt_id, run, cost_cents, price_version, baseline_cost_cents)
    select tenant, c.at, c.id, run, c.old_cost, c.old_version, c.old_baseline from changed c where c.repriced
    on conflict do nothing  -- a run that is repeated: what stood there before the first time counts
  ),
  grains as (
    select tenant as tenant_id, g.grain, date_trunc(g.grain, c.at, 'UTC') as bucket, c.kind, c.provider, c.model,
      sum((c.cost is null)::integer - (c.old_cost is null)::integer) as unpriced,
      sum(coalesce(c.cost, 0) - coalesce(c.old_cost, 0)) as cost_cents,
      sum(coalesce(c.baseline, 0) - coalesce(c.old_baseline, 0)) as baseline_cost_cents,
      sum(case when c.cost is null then coalesce(c.baseline, 0) else 0 end
        - case when c.old_cost is null then coalesce(c.old_baseline, 0) else 0 end) as unpriced_baseline_cents,
      sum(case when c.key_source = 'tenant' then coalesce(c.cost, 0) - coalesce(c.old_cost, 0) else 0 end) as own_key_cents,
      sum(case when c.key_source = 'operator' and c.at < closed::timestamp at time zone 'UTC'
        then coalesce(c.cost, 0) - coalesce(c.old_cost, 0) else 0 end) as repriced_cents
    from changed c, unnest(array['minute', 'day']) as g (grain)
    where c.repriced
    group by g.grain, bucket, c.kind, c.provider, c.model
    order by g.grain, bucket, c.kind, c.provider, c.model  -- as whoever books locks them
  ),
  rolled as (
    insert into public.rollups as r (tenant_id, grain, bucket, kind, provider, model, unpriced, cost_cents,
      baseline_cost_cents, unpriced_baseline_cents, own_key_cents, repriced_cents)
    select * from grains
    on conflict (tenant_id, grain, bucket, kind, provider, model) do update set
      unpriced = r.unpriced + excluded.unpriced,
      cost_cents = r.cost_cents + excluded.cost_cents,
      baseline_cost_cents = r.baseline_cost_cents + excluded.baseline_cost_cents,
      unpriced_baseline_cents = r.unpriced_baseline_cents + excluded.unpriced_baseline_cents,
      own_key_cents = r.own_key_cents + excluded.own_key_cents,
      repriced_cents = r.repriced_cents + excluded.repriced_cents
  ),
  armed as (
    select tenant as tenant_id, a.arm, (c.at at time zone 'UTC')::date as day,
      sum((c.cost is null)::integer - (c.old_cost is null)::integer) as unpriced,
      sum(c.job - c.old_job) as cents, sum(c.job * c.job - c.old_job * c.old_job) as cents_squared,
      sum(coalesce(c.baseline, 0) - coalesce(c.old_baseline, 0)) as baseline_cents
    from changed c, unnest(c.arms) as a (arm)
    where c.job is not null
    group by a.arm, day
    order by a.arm, day
  ),
  arms_rolled as (
    insert into public.arm_rollups as r (tenant_id, arm, day, unpriced, cents, cents_squared, baseline_cents)
    select * from armed
    on conflict (tenant_id, arm, day) do update set
      unpriced = r.unpriced + excluded.unpriced,
      cents = r.cents + excluded.cents,
      cents_squared = r.cents_squared + excluded.cents_squared,
      baseline_cents = r.baseline_cents + excluded.baseline_cents
  ),
  audited as (
    insert into public.audit_log (tenant_id, actor, action, subject, detail)
    select tenant, actor, 'ledger.repriced', run::text, jsonb_build_object('attempts', count(*), 'since', min(c.at),
      'until', max(c.at), 'cents_before', coalesce(sum(c.old_cost), 0)::text, 'cents_after', coalesce(sum(c.cost), 0)::text,
      'unpriced_before', count(*) filter (where c.old_cost is null),
      'unpriced_after', count(*) filter (where c.cost is null))
    from changed c where c.repriced having count(*) > 0
  )
  select count(*) into count_changed from changed c where c.repriced;
  return count_changed;
end $$;

-- What a caller says of an answer that was made for his very question, by his own call or one that he shared: it counts
-- for the entry that keeps it as what is said of an exact hit does, in place of what he said `before`. Where it was bad,
-- no copy of that answer is looked at for that question again. Whether the entry has gone.
create function private.judge_made(tenant uuid, job uuid, same boolean, before boolean, least_good integer[])
returns boolean
language plpgsql volatile set search_path = '' as $$
declare
  checked public.cache_checks;
begin
  select j.tenant_id, j.id, j.namespace, j.fingerprint, e.id, e.job_id, now(), before
  into checked.tenant_id, checked.job_id, checked.namespace, checked.fingerprint, checked.entry_id, checked.answered_by,
    checked.created_at, checked.verdict
  from public.jobs j
  join public.cache_entries e on e.tenant_id = j.tenant_id and e.fingerprint = j.fingerprint
    and e.job_id = coalesce(j.served_from, j.id)
  where j.tenant_id = tenant and j.id = job and same is distinct from before;
  if not found then
    return false;
  end if;
  insert into public.cache_checks as c (tenant_id, job_id, namespace, entry_id, kind, sampled, chance, similarity,
    fingerprint, status, verdict, source, judged_at, answered_by, step_at)
  values (tenant, job, checked.namespace, checked.entry_id, 'exact', false, 1, 1, checked.fingerprint, 'judged', same,
    'user', now(), checked.answered_by, null)
  on conflict (tenant_id, job_id) do update set verdict = excluded.verdict, judged_at = now() where c.kind = 'exact';
  return private.count_judgement(checked, same, least_good);
end $$;

do $$
declare
  made regprocedure;
begin
  foreach made in array array[
    'private.land(uuid, uuid, bytea, jsonb, jsonb, numeric, uuid, integer)',
    'private.judge_made(uuid, uuid, boolean, boolean, integer[])'
  ]::regprocedure[] loop
    execute format('revoke execute on function %s from public, anon, authenticated', made);
    execute format('grant execute on function %s to aico_service', made);
  end loop;
end $$;
