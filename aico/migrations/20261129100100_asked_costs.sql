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
