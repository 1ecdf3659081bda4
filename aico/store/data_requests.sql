-- name: create
with asked as (
  insert into public.data_requests (id, tenant_id, kind, scope, requested_by)
  values (%(id)s, %(tenant)s, %(kind)s, %(scope)s, %(actor)s)
  on conflict (tenant_id, kind) where finished_at is null do nothing
  returning *
),
audited as (
  insert into public.audit_log (tenant_id, actor, action, subject, detail)
  select tenant_id, requested_by, kind || '.requested', id::text, scope from asked
)
select id, kind, status, scope, requested_by, counts, file_id, sha256, error, created_at, started_at, finished_at
from asked

-- name: tenant_name
select coalesce(display_name, name) as name from public.tenants where id = %(tenant)s

-- name: get
select id, kind, status, scope, requested_by, counts, file_id, sha256, error, created_at, started_at, finished_at
from public.data_requests where tenant_id = %(tenant)s and id = %(id)s and kind = %(kind)s

-- name: page
select id, kind, status, scope, requested_by, counts, file_id, sha256, error, created_at, started_at, finished_at
from public.data_requests
where tenant_id = %(tenant)s and kind = %(kind)s and (%(after)s::uuid is null or id < %(after)s)
order by id desc limit %(limit)s

-- name: due
select tenant_id, request_id from private.due_data_requests(%(limit)s)

-- name: claim
update public.data_requests d
set fence = d.fence + 1, lease_until = now() + make_interval(secs => %(lease)s), status = 'in_progress',
  attempts = d.attempts + 1, started_at = coalesce(d.started_at, now())
where d.tenant_id = %(tenant)s and d.id = %(id)s and d.finished_at is null and d.step_at <= now()
  and (d.lease_until is null or d.lease_until < now())
returning d.id, d.kind, d.scope, d.fence, d.step, d.after, d.attempts, d.file_id, d.started_at, d.created_at

-- name: renew
update public.data_requests set lease_until = now() + make_interval(secs => %(lease)s)
where tenant_id = %(tenant)s and id = %(id)s and fence = %(fence)s and finished_at is null
returning id

-- name: postpone
update public.data_requests set lease_until = null, step_at = now() + make_interval(secs => %(pause)s)
where tenant_id = %(tenant)s and id = %(id)s and fence = %(fence)s and finished_at is null

-- name: fail
with ended as (
  update public.data_requests
  set status = 'failed', error = %(error)s, finished_at = now(), lease_until = null
  where tenant_id = %(tenant)s and id = %(id)s and fence = %(fence)s and finished_at is null
  returning *
)
insert into public.audit_log (tenant_id, actor, action, subject, detail)
select tenant_id, requested_by, kind || '.failed', id::text, jsonb_build_object('error', error) from ended
