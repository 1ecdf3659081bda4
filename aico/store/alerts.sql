-- name: page
select a.id, a.kind, a.detail, a.created_at from public.alerts a
where a.tenant_id = %(tenant)s
  and (%(after)s::uuid is null or (a.created_at, a.id) < (
    select b.created_at, b.id from public.alerts b where b.tenant_id = %(tenant)s and b.id = %(after)s))
order by a.created_at desc, a.id desc limit %(limit)s

-- name: spends
select tenant_id, spent, earlier from private.hourly_spends(%(hour)s, %(days)s, %(least)s)

-- name: raise_anomaly
select private.raise_alert(%(tenant)s, %(kind)s, %(occasion)s, %(detail)s) as raised
