-- name: page
select e.id, encode(e.namespace, 'hex') as namespace, e.question, e.model, e.tags, e.created_at,
  least(e.expires_at, e.created_at + make_interval(secs => n.ttl_seconds)) as expires_at, e.hits,
  e.hit_at, e.good, e.bad, e.bytes, e.job_id, e.routing
from public.cache_entries e
left join public.cache_namespaces n on n.tenant_id = e.tenant_id and n.namespace = e.namespace
where e.tenant_id = %(tenant)s and e.expires_at > now()
  and (%(after)s::uuid is null or (e.created_at, e.id) < (
    select a.created_at, a.id from public.cache_entries a where a.tenant_id = %(tenant)s and a.id = %(after)s))
  and (%(namespace)s::bytea is null or e.namespace = %(namespace)s)
  and (%(tag)s::text is null or e.tags @> array[%(tag)s::text])
  and (%(model)s::text is null or e.model = %(model)s)
  and (%(words)s::text is null or strpos(lower(e.question), lower(%(words)s)) > 0)
order by e.created_at desc, e.id desc limit %(limit)s

-- name: there
select id from public.cache_entries where tenant_id = %(tenant)s and id = %(id)s

-- name: get
select e.id, encode(e.namespace, 'hex') as namespace, e.question, e.model, e.tags, e.created_at,
  least(e.expires_at, e.created_at + make_interval(secs => n.ttl_seconds)) as expires_at, e.hits,
  e.hit_at, e.good, e.bad, e.bytes, e.job_id, e.routing, e.answer
from public.cache_entries e
left join public.cache_namespaces n on n.tenant_id = e.tenant_id and n.namespace = e.namespace
where e.tenant_id = %(tenant)s and e.id = %(id)s and e.expires_at > now()

-- name: forget
with gone as (
  delete from public.cache_entries e
  where e.tenant_id = %(tenant)s and e.id = any (array(  -- found by the key, whatever the planner knows of the table
    select o.id from public.cache_entries o where o.tenant_id = %(tenant)s and {condition}
    order by o.fingerprint limit %(limit)s for update
  ))
  returning 1
),
counted as (
  select count(*) as entries from gone
),
audited as (
  insert into public.audit_log (tenant_id, actor, action, subject, detail)
  select %(tenant)s, %(by)s, 'cache.forgotten', coalesce(%(shown)s::text, 'all'),
    jsonb_build_object('by', %(field)s::text, 'entries', c.entries)
  from counted c where c.entries > 0
)
select entries from counted

-- name: size
select s.entries, s.bytes, t.cache_max_entries as most, t.max_error_rate as target
from public.tenants t left join public.cache_sizes s on s.tenant_id = t.id
where t.id = %(tenant)s
