-- name: hand_over
select n.job_id, n.class
from public.jobs j cross join lateral private.hand_over(%(tenant)s, j.flight, null) n
where j.tenant_id = %(tenant)s and j.id = %(id)s and j.flight is not null

-- name: stranded
select tenant_id, job_id, class from private.hand_over_stranded()

-- name: joined
select f.id, f.fence, l.id as leader, l.fence as leader_fence
from public.jobs f
join public.jobs l on l.tenant_id = f.tenant_id and l.flight = f.flight and l.status = 'in_progress' and l.stage = 'route'
  and l.streams
where f.tenant_id = %(tenant)s and f.id = %(id)s and f.stage = 'follow' and f.status = 'in_progress' and f.streams
limit 1

-- name: begin_anew
update public.jobs f set fence = f.fence + 1
from public.jobs l
where l.tenant_id = %(tenant)s and l.id = %(id)s and l.fence = %(fence)s and f.tenant_id = l.tenant_id
  and f.flight = l.flight and f.stage = 'follow' and f.status = 'in_progress' and f.streams
returning f.id, f.fence, l.id as leader, l.fence as leader_fence
