-- name: add
insert into public.webhook_endpoints (id, tenant_id, url, secret, events)
values (%(id)s, %(tenant)s, %(url)s, %(secret)s, %(events)s)

-- name: endpoints
select id, url, events, enabled, created_at
from public.webhook_endpoints where tenant_id = %(tenant)s order by created_at, id

-- name: remove
delete from public.webhook_endpoints where tenant_id = %(tenant)s and id = %(id)s returning id

-- name: claim
with due as (
  select id from public.webhook_deliveries
  where tenant_id = %(tenant)s and job_id = %(job)s and status = 'pending' and next_attempt_at <= now()
  order by next_attempt_at limit 1
  for update skip locked
)
update public.webhook_deliveries d
set attempts = d.attempts + 1, next_attempt_at = now() + make_interval(secs => %(lease)s), bell_at = null
from due, public.webhook_endpoints e
where d.tenant_id = %(tenant)s and d.id = due.id and e.tenant_id = %(tenant)s and e.id = d.endpoint_id
returning d.id, d.attempts, d.payload, e.url, e.secret

-- name: settle
update public.webhook_deliveries
set status = %(status)s, last_status = %(http_status)s, last_error = %(error)s,
  next_attempt_at = now() + make_interval(secs => %(retry)s)
where tenant_id = %(tenant)s and id = %(id)s and attempts = %(attempts)s and status = 'pending'
returning id

-- name: postpone
update public.webhook_deliveries
set attempts = attempts - 1, next_attempt_at = now() + make_interval(secs => %(pause)s)
where tenant_id = %(tenant)s and id = %(id)s and attempts = %(attempts)s and status = 'pending'
returning id

-- name: due
select tenant_id, job_id from private.due_deliveries(make_interval(secs => %(quiet)s), %(limit)s)
