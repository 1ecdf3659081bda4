-- How quotas are set, by whom, and what plans bring; what is unusual spend; and what is deleted when.

-- What the ledger has since a moment: of the whole tenant from the rollups; of a key or a tag, attempt by attempt. What
-- is not booked yet is counted from the outbox. Asked once, when a quota is set.
create function private.used_since(tenant uuid, quota_scope text, quota_period text, quota_unit text, since timestamptz)
returns numeric
language sql stable set search_path = '' as $$
  with attempt as (
    select a.outcome, a.input_uncached + a.cache_read + a.cache_write + a.output as tokens, a.cost_cents
    from public.ledger_attempts a left join public.jobs j on j.tenant_id = tenant and j.id = a.job_id
    where quota_scope <> 'tenant' and a.tenant_id = tenant and a.at >= since and a.kind = 'call'
      and quota_scope = any (private.scopes_of(coalesce(a.api_key_id, j.api_key_id), j.tags))
    union all
    select o.outcome, o.input_uncached + o.cache_read + o.cache_write + o.output, o.cost_cents
    from public.ledger_outbox o left join public.jobs j on j.tenant_id = tenant and j.id = o.job_id
    where o.tenant_id = tenant and o.at >= since and o.kind = 'call'
      and quota_scope = any (private.scopes_of(coalesce(o.api_key_id, j.api_key_id), j.tags))
  ),
  counted as (
    select r.answered as requests, r.input_tokens + r.output_tokens as tokens, r.cost_cents as cents
    from public.rollups r
    where quota_scope = 'tenant' and r.tenant_id = tenant and r.bucket >= since and r.kind = 'call'
      and r.grain = case quota_period when 'minute' then 'minute' else 'day' end
    union all
    select (a.outcome = 'ok')::integer, a.tokens, coalesce(a.cost_cents, 0) from attempt a
  )
  select coalesce(sum(case quota_unit when 'tokens' then c.tokens when 'cents' then c.cents else c.requests end), 0)
  from counted c
$$;

-- After a quota has changed: what has been passed already is not told of again, what has not yet may be.
create function private.rearm_alerts(tenant uuid, quota_scope text, quota_period text, quota_unit text) returns void
language sql volatile set search_path = '' as $$
  update public.quota_windows w set alerted = private.alert_level(w.used, q.quota)
  from private.open_quotas(tenant, array[quota_scope]) q
  where w.tenant_id = tenant and (q.scope, q.period, q.unit) = (quota_scope, quota_period, quota_unit)
    and (w.scope, w.period, w.unit, w.starts_at) = (q.scope, q.period, q.unit, q.starts_at)
$$;

-- Sets a quota; its window begins with what the ledger has, unless another quota has kept it. Says what became of it:
-- set, no_key where the tenant has no such key, too_many where `most` of this source are there.
create function private.set_quota(
  tenant uuid, quota_scope text, quota_period text, quota_unit text, quota_source text, amount numeric, most integer
) returns text
language plpgsql volatile set search_path = '' as $$
declare
  starts timestamptz := private.window_start(quota_period, now());
begin
  perform from public.tenants t where t.id = tenant for no key update;
  if quota_scope like 'key:%' and not exists (
    select from public.api_keys k where k.tenant_id = tenant and k.id = substr(quota_scope, 5)::uuid
  ) then
    return 'no_key';
  end if;
  if (
    select count(*) from public.quotas q where q.tenant_id = tenant and q.source = quota_source
      and (q.scope, q.period, q.unit) <> (quota_scope, quota_period, quota_unit)
  ) >= most then
    return 'too_many';
  end if;
  if not exists (
    select from public.quotas q
    where q.tenant_id = tenant and (q.scope, q.period, q.unit) = (quota_scope, quota_period, quota_unit)
  ) then
    insert into public.quota_windows as w (tenant_id, scope, period, unit, starts_at, used)
    values (tenant, quota_scope, quota_period, quota_unit, starts,
      private.used_since(tenant, quota_scope, quota_period, quota_unit, starts))
    on conflict on constraint quota_windows_pkey do update set used = excluded.used;
  end if;
  insert into public.quotas (tenant_id, scope, period, unit, source, quota)
  values (tenant, quota_scope, quota_period, quota_unit, quota_source, amount)
  on conflict on constraint quotas_pkey do update set quota = excluded.quota;
  perform private.rearm_alerts(tenant, quota_scope, quota_period, quota_unit);
  return 'set';
end $$;

-- Takes a quota away. Whether there was one.
create function private.drop_quota(
  tenant uuid, quota_scope text, quota_period text, quota_unit text, quota_source text
) returns boolean
language plpgsql volatile set search_path = '' as $$
begin
  perform from public.tenants t where t.id = tenant for no key update;
  delete from public.quotas q where q.tenant_id = tenant
    and (q.scope, q.period, q.unit, q.source) = (quota_scope, quota_period, quota_unit, quota_source);
  if not found then
    return false;
  end if;
  perform private.rearm_alerts(tenant, quota_scope, quota_period, quota_unit);
  return true;
end $$;

-- A plan's tokens a month take effect with the plan. What was agreed on for `enterprise` the operator sets.
create function private.apply_plan() returns trigger
language plpgsql set search_path = '' as $$
declare
  tokens numeric := case new.plan when 'free' then 10000 when 'pro' then 1000000 when 'business' then 10000000 end;
begin
  if tokens is null then
    perform private.drop_quota(new.id, 'tenant', 'month', 'tokens', 'plan');
  else
    perform private.set_quota(new.id, 'tenant', 'month', 'tokens', 'plan', tokens, 1);
  end if;
  return null;
end $$;
create trigger tenants_plan_new after insert on public.tenants for each row
  when (new.plan is not null) execute function private.apply_plan();
create trigger tenants_plan after update of plan on public.tenants for each row
  when (new.plan is distinct from old.plan) execute function private.apply_plan();

-- What each tenant spent in an hour, where that is at least `floor_cents`, and in the same hour of each of so many days
-- before, since its first. One range of the rollups' key a tenant and day.
create function private.hourly_spends(since timestamptz, days integer, floor_cents numeric)
returns table (tenant_id uuid, spent numeric, earlier numeric[])
language sql stable security definer set search_path = '' as $$
  select t.id, present.cents, array(
    select coalesce(sum(r.cost_cents), 0)
    from generate_series(1, days) as d (ago)
    left join public.rollups r on r.tenant_id = t.id and r.grain = 'minute' and r.kind = 'call'
      and r.bucket >= since - d.ago * interval '24 hours' and r.bucket < since - d.ago * interval '24 hours' + interval '1 hour'
    where since - d.ago * interval '24 hours' >= date_trunc('hour', first.bucket, 'UTC')
    group by d.ago order by d.ago
  )
  from public.tenants t
  cross join lateral (
    select sum(r.cost_cents) as cents from public.rollups r
    where r.tenant_id = t.id and r.grain = 'minute' and r.bucket >= since and r.bucket < since + interval '1 hour'
      and r.kind = 'call'
  ) present
  cross join lateral (
    select r.bucket from public.rollups r where r.tenant_id = t.id and r.grain = 'minute' order by r.bucket limit 1
  ) first
  where present.cents >= floor_cents
$$;

-- Deletes windows that are long over, and alerts that are kept no longer. Returns how many of the more numerous.
create function private.purge_quotas(kept interval, batch_size integer) returns bigint
language sql volatile security definer set search_path = '' as $$
  with windows as (
    delete from public.quota_windows w
    using (
      select l.tenant_id, l.scope, l.period, l.unit, l.starts_at from public.quota_windows l
      where l.reserved = 0 and l.starts_at < now() - case l.period when 'minute' then interval '1 day' else interval '400 days' end
      limit batch_size for update skip locked
    ) l
    where (w.tenant_id, w.scope, w.period, w.unit, w.starts_at) = (l.tenant_id, l.scope, l.period, l.unit, l.starts_at)
    returning 1
  ),
  told as (
    delete from public.alerts a
    using (
      select l.tenant_id, l.id from public.alerts l where l.created_at < now() - kept
      limit batch_size for update skip locked
    ) l
    where a.tenant_id = l.tenant_id and a.id = l.id
    returning 1
  )
  select greatest((select count(*) from windows), (select count(*) from told))
$$;

revoke execute on all functions in schema private from public, anon, authenticated;
grant execute on all functions in schema private to aico_service;
grant execute on function private.my_tenants() to authenticated;
revoke execute on function private.my_tenants() from aico_service;
