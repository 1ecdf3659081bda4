-- name: lost_bells
select tenant_id, id, stage, class
from private.lost_bells(%(idle)s::text[], make_interval(secs => %(quiet)s), make_interval(secs => %(silent)s), %(limit)s)

-- name: end_overdue
select tenant_id, id, status from private.end_overdue_jobs(%(max_claims)s, %(limit)s)

-- name: queue_ages
select class, waiting, oldest_seconds from private.queue_ages()
