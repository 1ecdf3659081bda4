-- Ends what can no longer be answered: past its deadline, or claimed again and again without ever finishing. A call
-- that was under way is booked as lost, and endpoints are told as `finish` tells them; the sweeper, which calls this,
-- rings for both.
create function private.end_overdue_jobs(max_losses integer, batch_size integer)
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
  late as (
    select j.tenant_id, j.id, j.api_key_id, j.calling from public.jobs j
    join (select * from overdue union select * from hopeless) l on l.tenant_id = j.tenant_id and l.id = j.id
    where j.status = 'in_progress' and j.lease_until is not null
  ),
  lost as (
    insert into public.ledger_outbox (id, tenant_id, at, job_id, api_key_id, kind, outcome, provider, model,
      latency_ms, cost_cents, price_version, error)
    select gen_random_uuid(), l.tenant_id, now(), l.id, l.api_key_id, 'call', 'lost',
      coalesce(l.calling ->> 'provider', 'unknown'), coalesce(l.calling ->> 'model', 'unknown'), 0,
      (l.calling ->> 'cents')::numeric, case when l.calling ->> 'cents' is not null then 'estimate' end,
      'the worker that held the job died'
    from late l
  ),
  done as (
    update public.jobs j set
      status = case when j.deadline < now() then 'expired' else 'failed' end,
      error = case when j.deadline < now()
        then jsonb_build_object('code', 'deadline_exceeded', 'message', 'no answer before the deadline')
        else jsonb_build_object('code', 'worker_lost', 'message', 'its worker failed ' || j.losses + 1 || ' times') end,
      finished_at = now(), lease_until = null, run_after = null, calling = null, embedding = null, fence = j.fence + 1
    from (select * from overdue union select * from hopeless) l
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
