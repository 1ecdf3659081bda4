-- name: lock_tenant
select id from public.tenants where id = %(tenant)s for no key update

-- name: add
insert into public.webhook_endpoints (id, tenant_id, url, description, secret, events)
select %(id)s, %(tenant)s, %(url)s, %(description)s, %(secret)s, %(events)s::text[]
where (select count(*) from public.webhook_endpoints where tenant_id = %(tenant)s) < %(most)s
returning id

-- name: endpoints
select id, url, description, events, enabled, created_at, disabled_at, disabled_reason
from public.webhook_endpoints
where tenant_id = %(tenant)s and (%(id)s::uuid is null or id = %(id)s)
order by created_at, id

-- name: change
update public.webhook_endpoints
set url = coalesce(%(url)s, url), description = coalesce(%(description)s, description),
  events = coalesce(%(events)s::text[], events), enabled = coalesce(%(enabled)s, enabled),
  disabled_at = case when not coalesce(%(enabled)s, enabled) then coalesce(disabled_at, now()) end,
  disabled_reason = case when not coalesce(%(enabled)s, enabled) then coalesce(disabled_reason, 'on request') end
where tenant_id = %(tenant)s and id = %(id)s
returning id

-- name: release
with held as (
  select d.id, d.begun_at < now() - make_interval(secs => %(schedule)s) as outlived
  from public.webhook_deliveries d
  join public.webhook_endpoints e on e.tenant_id = %(tenant)s and e.id = d.endpoint_id
  where d.tenant_id = %(tenant)s and d.endpoint_id = %(id)s and d.status = 'pending'
    and d.next_attempt_at = 'infinity' and e.enabled
  for update of d
)
update public.webhook_deliveries d
set status = case when h.outlived then 'failed' else 'pending' end, next_attempt_at = now(), bell_at = null,
  last_error = case when h.outlived then 'the endpoint was disabled until its time was over' else d.last_error end
from held h
where d.tenant_id = %(tenant)s and d.id = h.id
returning d.id

-- name: remove
delete from public.webhook_endpoints where tenant_id = %(tenant)s and id = %(id)s returning id

-- name: rotate
update public.webhook_endpoints e
set secret = %(secret)s,
  old_secrets = (
    select coalesce(jsonb_agg(jsonb_build_object('secret', o.secret, 'until', o.until) order by o.age), '[]')
    from (
      select s.secret, least(s.until, now() + make_interval(secs => %(overlap)s)) as until, s.age
      from (
        select e.secret, 'infinity'::timestamptz as until, 0 as age
        union all
        select l.old ->> 'secret', (l.old ->> 'until')::timestamptz, l.age
        from jsonb_array_elements(e.old_secrets) with ordinality l (old, age)
      ) s
      order by s.age limit %(most)s
    ) o
    where o.until > now()
  )
where e.tenant_id = %(tenant)s and e.id = %(id)s
returning e.id

-- name: test
insert into public.webhook_deliveries as d (tenant_id, endpoint_id, event, payload)
select e.tenant_id, e.id, %(event)s, jsonb_build_object('type', %(event)s::text, 'timestamp', now(),
  'data', jsonb_build_object('id', e.id))
from public.webhook_endpoints e
where e.tenant_id = %(tenant)s and e.id = %(id)s and e.enabled
for key share of e
returning d.id, d.event, d.job_id, d.status, d.attempts, d.last_status, d.last_error, d.created_at,
  d.next_attempt_at, d.payload, d.log

-- name: redeliver
update public.webhook_deliveries d
set status = 'pending', earlier_attempts = d.attempts, begun_at = now(), next_attempt_at = now(), bell_at = now()
from public.webhook_endpoints e
where d.tenant_id = %(tenant)s and d.endpoint_id = %(endpoint)s and d.id = %(id)s and d.status <> 'pending'
  and e.tenant_id = %(tenant)s and e.id = d.endpoint_id and e.enabled
returning d.id, d.event, d.job_id, d.status, d.attempts, d.last_status, d.last_error, d.created_at,
  d.next_attempt_at, d.payload, d.log

-- name: deliveries
select d.id, d.event, d.job_id, d.status, d.attempts, d.last_status, d.last_error, d.created_at,
  case when d.status = 'pending' then nullif(d.next_attempt_at, 'infinity') end as next_attempt_at, d.payload, d.log
from public.webhook_deliveries d
where d.tenant_id = %(tenant)s and d.endpoint_id = %(endpoint)s and (%(id)s::uuid is null or d.id = %(id)s)
  and (%(status)s::text is null or d.status = %(status)s)
  and (%(after)s::uuid is null or (d.created_at, d.id) < (
    select a.created_at, a.id from public.webhook_deliveries a where a.tenant_id = %(tenant)s and a.id = %(after)s))
order by d.created_at desc, d.id desc limit %(limit)s

-- name: claim
with due as (
  select d.id from public.webhook_deliveries d
  join public.webhook_endpoints e on e.tenant_id = %(tenant)s and e.id = d.endpoint_id
  where d.tenant_id = %(tenant)s and d.id = %(id)s and d.status = 'pending' and d.next_attempt_at <= now() and e.enabled
  for update of d skip locked
)
update public.webhook_deliveries d
set attempts = d.attempts + 1, next_attempt_at = now() + make_interval(secs => %(lease)s), bell_at = null
from due, public.webhook_endpoints e
where d.tenant_id = %(tenant)s and d.id = due.id and e.tenant_id = %(tenant)s and e.id = d.endpoint_id
returning d.id, d.endpoint_id, d.attempts, d.attempts - d.earlier_attempts as tries, d.payload, e.url,
  array[e.secret] || array(
    select o ->> 'secret' from jsonb_array_elements(e.old_secrets) o where (o ->> 'until')::timestamptz > now()
  ) as secrets

-- name: settle
update public.webhook_deliveries
set status = %(status)s, last_status = %(http_status)s::smallint, last_error = %(error)s,
  next_attempt_at = now() + make_interval(secs => %(retry)s),
  log = (case when jsonb_array_length(log) < %(kept)s then log else log - 0 end) || jsonb_build_array(
    jsonb_build_object('number', attempts, 'at', now() - make_interval(secs => %(duration)s::float8 / 1000),
      'http_status', %(http_status)s::smallint, 'error', %(error)s::text, 'duration_ms', %(duration)s::integer))
where tenant_id = %(tenant)s and id = %(id)s and attempts = %(attempts)s and status = 'pending'
returning id

-- name: disable
with failed as (
  select endpoint_id from public.webhook_deliveries
  where tenant_id = %(tenant)s and id = %(delivery)s and attempts = %(attempts)s and status = 'failed'
),
disabled as (
  update public.webhook_endpoints e
  set enabled = false, disabled_at = now(), disabled_reason = %(reason)s
  from failed f where e.tenant_id = %(tenant)s and e.id = f.endpoint_id and e.enabled
  returning e.id
),
noted as (
  insert into public.audit_log (tenant_id, actor, action, subject, detail)
  select %(tenant)s, 'notify', %(event)s, d.id::text,
    jsonb_build_object('reason', %(reason)s::text, 'delivery', %(delivery)s::uuid)
  from disabled d
)
insert into public.webhook_deliveries as w (tenant_id, endpoint_id, event, payload)
select %(tenant)s, e.id, %(event)s, jsonb_build_object('type', %(event)s::text, 'timestamp', now(),
  'data', jsonb_build_object('id', d.id, 'reason', %(reason)s::text))
from disabled d join public.webhook_endpoints e on e.tenant_id = %(tenant)s and e.id <> d.id
where e.enabled and (e.events = '{}' or %(event)s = any (e.events))
for key share of e
returning w.id

-- name: postpone
update public.webhook_deliveries
set attempts = attempts - 1, next_attempt_at = now() + make_interval(secs => %(pause)s)
where tenant_id = %(tenant)s and id = %(id)s and attempts = %(attempts)s and status = 'pending'
returning id

-- name: due
select tenant_id, delivery_id from private.due_deliveries(make_interval(secs => %(quiet)s), %(limit)s)

-- name: purge
select private.purge_deliveries(make_interval(days => %(days)s), %(limit)s) as purged
