-- How long a tenant's data is kept is the tenant's own to say.

-- As before, but each tenant's for as long as it says, and with what was said of them. Looks at the oldest rows of each
-- tenant: one probe of an index a tenant, then O(batch_size).
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

create or replace function private.purge_batches(kept interval, batch_size integer) returns bigint
language sql volatile security definer set search_path = '' as $$
  with purged as (
    delete from public.batches b
    using (
      select l.tenant_id, l.id
      from public.tenants t
      left join public.retention r on r.tenant_id = t.id
      cross join lateral (
        select o.tenant_id, o.id from public.batches o
        where o.tenant_id = t.id and o.finished_at < now() - coalesce(make_interval(days => r.jobs_days), kept)
          and not exists (select from public.jobs j where j.tenant_id = o.tenant_id and j.batch_id = o.id)
        order by o.finished_at limit batch_size for update skip locked
      ) l
      limit batch_size
    ) old
    where b.tenant_id = old.tenant_id and b.id = old.id
    returning 1
  )
  select count(*) from purged
$$;

create or replace function private.purge_deliveries(older_than interval, batch_size integer) returns bigint
language sql volatile security definer set search_path = '' as $$
  with purged as (
    delete from public.webhook_deliveries d
    using (
      select l.tenant_id, l.id
      from public.tenants t
      left join public.retention r on r.tenant_id = t.id
      cross join lateral (
        select o.tenant_id, o.id from public.webhook_deliveries o
        where o.tenant_id = t.id and o.begun_at < now() - coalesce(make_interval(days => r.deliveries_days), older_than)
        order by o.begun_at limit batch_size for update skip locked
      ) l
      limit batch_size
    ) old
    where d.tenant_id = old.tenant_id and d.id = old.id
    returning 1
  )
  select count(*) from purged
$$;

-- Files expire when their tenant, or whoever uploaded them, said so; a tenant that shortens its time is obeyed at once.
create or replace function private.purge_files(batch_size integer) returns bigint
language sql volatile security definer set search_path = '' as $$
  with expired as (
    select l.tenant_id, l.id from public.files l
    where l.expires_at < now() and not private.in_use(l.tenant_id, l.id)
    order by l.expires_at limit batch_size for update skip locked
  ),
  outlived as (
    select l.tenant_id, l.id
    from public.retention r
    cross join lateral (
      select o.tenant_id, o.id from public.files o
      where o.tenant_id = r.tenant_id and o.id < private.first_id_at(now() - make_interval(days => r.files_days))
        and not private.in_use(o.tenant_id, o.id)
      order by o.id limit batch_size for update skip locked
    ) l
    where r.files_days is not null
    limit batch_size
  ),
  purged as (
    delete from public.files f
    using (select * from expired union select * from outlived limit batch_size) old
    where f.tenant_id = old.tenant_id and f.id = old.id
    returning 1
  )
  select count(*) from purged
$$;

-- Likewise answers.
create or replace function private.purge_expired_answers(batch_size integer) returns bigint
language sql volatile security definer set search_path = '' as $$
  with expired as (
    select l.tenant_id, l.id from public.cache_entries l where l.expires_at < now()
    order by l.expires_at limit batch_size for update skip locked
  ),
  outlived as (
    select l.tenant_id, l.id
    from public.retention r
    cross join lateral (
      select o.tenant_id, o.id from public.cache_entries o
      where o.tenant_id = r.tenant_id and o.created_at < now() - make_interval(days => r.cache_days)
      order by o.created_at limit batch_size for update skip locked
    ) l
    where r.cache_days is not null
    limit batch_size
  ),
  purged as (
    delete from public.cache_entries e
    using (select * from expired union select * from outlived limit batch_size) old
    where e.tenant_id = old.tenant_id and e.id = old.id
    returning 1
  )
  select count(*) from purged
$$;

-- Takes from booked attempts what providers said beside the figures, once it is older than it is kept. Returns how many.
create function private.purge_ledger_bodies(kept interval, batch_size integer) returns bigint
language sql volatile security definer set search_path = '' as $$
  with bare as (
    update public.ledger_attempts a set usage_raw = null, error = null
    from (
      select l.tenant_id, l.at, l.id
      from public.tenants t
      left join public.retention r on r.tenant_id = t.id
      cross join lateral (
        select o.tenant_id, o.at, o.id from public.ledger_attempts o
        where o.tenant_id = t.id and o.at < now() - coalesce(make_interval(days => r.ledger_days), kept)
          and (o.usage_raw is not null or o.error is not null)
        order by o.at limit batch_size for update skip locked
      ) l
      limit batch_size
    ) old
    where a.tenant_id = old.tenant_id and a.at = old.at and a.id = old.id
    returning 1
  )
  select count(*) from bare
$$;

revoke execute on all functions in schema public, private from public, anon, authenticated;
grant execute on all functions in schema private to aico_service;
grant execute on function private.my_tenants() to authenticated;
revoke execute on function private.my_tenants() from aico_service;
grant execute on function public.match_cache_entries, public.get_user_cache_stats to authenticated, aico_service;
