-- name: page
select l.id, l.at, l.actor, l.action, l.subject, l.detail
from public.audit_log l
where l.tenant_id = %(tenant)s
  and (%(action)s::text is null or l.action = %(action)s)
  and (%(actor)s::text is null or l.actor = %(actor)s)
  and (%(after)s::uuid is null or (l.at, l.id) < (
    select a.at, a.id from public.audit_log a where a.tenant_id = %(tenant)s and a.id = %(after)s))
order by l.at desc, l.id desc limit %(limit)s
