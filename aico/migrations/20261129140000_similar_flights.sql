-- A question that means much the same as one that is being answered may wait for that answer, where its caller allows it:
-- without a worker, a lease or a place, and then as if it had come after the answer. Whoever waits has not left the first
-- hop, and waits for a job that has: so nobody waits in a circle.

-- The job whose answer it waits for, or has waited for: nobody waits twice.
alter table public.jobs add column awaits uuid;
alter table public.jobs drop constraint jobs_stage_check;
alter table public.jobs add constraint jobs_stage_check check (stage in ('embed', 'await', 'route', 'lane', 'follow'));
-- What is under way and may be found by meaning, newest last.
create index jobs_similar on public.jobs (tenant_id, namespace, id)
  where stage in ('route', 'lane') and status in ('queued', 'in_progress') and embedding is not null;
create index jobs_awaiting on public.jobs (tenant_id, awaits) where stage = 'await' and status = 'in_progress';
create index jobs_awaiting_until on public.jobs (run_after) where stage = 'await' and status = 'in_progress';

-- How long an answer may take. Nobody waits for a job that has more patience than he has: it may be behind others, or in
-- a provider's batch.
create function private.patience(class text, deadline_given boolean) returns integer
language sql immutable set search_path = '' as $$
  select case when class = 'interactive' then 0 when class = 'standard' and not deadline_given then 1
    when class = 'standard' then 2 else 3 end
$$;

-- Of all tenants: whoever waits for a job that is no longer under way, for whatever reason, or has waited for as long as
-- he may, goes back into his tenant's queue and asks the cache anew. Looked at from outside, and not told by the job that
-- ends: so no crash loses anybody, and it does not matter which was first, the end or the waiting. O(jobs that are waited
-- for, and who goes back).
create function private.end_waiting(batch_size integer) returns bigint
language sql volatile security definer set search_path = '' as $$
  with recursive awaited as (
    (
      select w.tenant_id, w.awaits from public.jobs w where w.stage = 'await' and w.status = 'in_progress'
      order by w.tenant_id, w.awaits limit 1
    )
    union all
    select n.tenant_id, n.awaits
    from awaited a cross join lateral (
      select w.tenant_id, w.awaits from public.jobs w
      where w.stage = 'await' and w.status = 'in_progress' and (w.tenant_id, w.awaits) > (a.tenant_id, a.awaits)
      order by w.tenant_id, w.awaits limit 1
    ) n
  ),
  gone as materialized (
    select a.tenant_id, a.awaits from awaited a
    where not exists (
      select from public.jobs l
      where l.tenant_id = a.tenant_id and l.id = a.awaits and l.status in ('queued', 'in_progress')
        and l.stage in ('route', 'lane', 'follow')
    )
  ),
  answered as materialized (
    select w.tenant_id, w.id
    from public.jobs w join gone g on g.tenant_id = w.tenant_id and g.awaits = w.awaits
    where w.stage = 'await' and w.status = 'in_progress'
    limit batch_size
    for no key update of w skip locked
  ),
  late as materialized (
    select w.tenant_id, w.id from public.jobs w
    where w.stage = 'await' and w.status = 'in_progress' and w.run_after <= now()
    order by w.run_after limit batch_size
    for no key update of w skip locked
  ),
  back as (
    update public.jobs j set status = 'queued', stage = 'embed', run_after = null, bell_at = null
    from (select * from answered union select * from late) w
    where j.tenant_id = w.tenant_id and j.id = w.id
    returning 1
  )
  select count(*) from back
$$;

do $$
declare
  made regprocedure;
begin
  foreach made in array array['private.patience(text, boolean)', 'private.end_waiting(integer)']::regprocedure[] loop
    execute format('revoke execute on function %s from public, anon, authenticated', made);
    execute format('grant execute on function %s to aico_service', made);
  end loop;
end $$;
