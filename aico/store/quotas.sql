-- name: put
with outcome as (
  select private.set_quota(%(tenant)s, %(scope)s, %(period)s, %(unit)s, %(source)s, %(quota)s, %(most)s) as outcome
),
noted as (
  insert into public.audit_log (tenant_id, actor, action, subject, detail)
  select %(tenant)s, %(actor)s, 'quota.set', %(name)s,
    jsonb_build_object('source', %(source)s::text, 'limit', %(quota)s::numeric::text)
  from outcome o where o.outcome = 'set'
)
select outcome from outcome

-- name: remove
with removed as (
  select private.drop_quota(%(tenant)s, %(scope)s, %(period)s, %(unit)s, %(source)s) as removed
),
noted as (
  insert into public.audit_log (tenant_id, actor, action, subject, detail)
  select %(tenant)s, %(actor)s, 'quota.removed', %(name)s, jsonb_build_object('source', %(source)s::text)
  from removed r where r.removed
)
select removed from removed

-- name: standings
select q.scope, q.period, q.unit, q.source, trim_scale(q.quota) as quota, trim_scale(coalesce(w.used, 0)) as used,
  trim_scale(coalesce(w.reserved, 0)) as reserved, s.starts_at, private.window_end(q.period, s.starts_at) as resets_at
from public.quotas q
cross join lateral (select private.window_start(q.period, now()) as starts_at) s
left join public.quota_windows w on w.tenant_id = %(tenant)s and (w.scope, w.period, w.unit, w.starts_at)
  = (q.scope, q.period, q.unit, s.starts_at)
where q.tenant_id = %(tenant)s
order by q.scope = 'tenant' desc, q.scope, array_position(array['month', 'day', 'minute'], q.period), q.unit, q.source

-- name: purge
select private.purge_quotas(make_interval(days => %(days)s), %(limit)s) as purged
