-- name: lost_bells
select tenant_id, id, stage, class, rung_at
from private.lost_bells(%(idle)s::text[], make_interval(secs => %(quiet)s), make_interval(secs => %(silent)s), %(limit)s,
  coalesce(%(as_of)s::timestamptz, now()))

-- name: end_overdue
select tenant_id, id, status from private.end_overdue_jobs(%(max_losses)s, %(limit)s)

-- name: due
select tenant_id, id, stage, class from private.due_jobs(%(limit)s)

-- name: anyone_waits
select private.anyone_waits() as waits

-- name: admit
select tenant_id, id, stage, class from private.admit()

-- name: resize_pools
select private.resize_pools(%(slots)s)

-- name: purge
select private.purge_jobs(make_interval(days => %(days)s), %(limit)s) as purged
