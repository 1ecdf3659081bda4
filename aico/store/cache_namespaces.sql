-- name: page
select encode(n.namespace, 'hex') as namespace, n.label, n.state, n.evidence_since, n.cut, n.bound, n.judged, n.above,
  n.wrong, n.entries, n.bytes, n.ttl_seconds, n.created_at, t.max_error_rate as target
from public.cache_namespaces n join public.tenants t on t.id = n.tenant_id
where n.tenant_id = %(tenant)s and (%(after)s::bytea is null or n.namespace > %(after)s)
  and (%(one)s::bytea is null or n.namespace = %(one)s)
order by n.namespace limit %(limit)s

-- name: largest
select encode(n.namespace, 'hex') as namespace, n.label, n.state, n.evidence_since, n.cut, n.bound, n.judged, n.above,
  n.wrong, n.entries, n.bytes, n.ttl_seconds, n.created_at, t.max_error_rate as target
from public.cache_namespaces n join public.tenants t on t.id = n.tenant_id
where n.tenant_id = %(tenant)s
order by n.entries desc, n.namespace limit %(limit)s

-- name: states
select state, count(*) as namespaces from public.cache_namespaces where tenant_id = %(tenant)s group by state

-- name: set_ttl
with changed as (
  update public.cache_namespaces set ttl_seconds = %(ttl)s::integer
  where tenant_id = %(tenant)s and namespace = %(namespace)s
  returning namespace, ttl_seconds
),
audited as (
  insert into public.audit_log (tenant_id, actor, action, subject, detail)
  select %(tenant)s, %(by)s, 'cache.ttl_set', encode(namespace, 'hex'), jsonb_build_object('ttl_seconds', ttl_seconds)
  from changed
)
select encode(namespace, 'hex') as namespace from changed

-- name: shorten
with ttl as (
  select make_interval(secs => n.ttl_seconds) as span from public.cache_namespaces n
  where n.tenant_id = %(tenant)s and n.namespace = %(namespace)s and n.ttl_seconds is not null
),
old as (
  select o.id, o.created_at + ttl.span as until from public.cache_entries o cross join ttl
  where o.tenant_id = %(tenant)s and o.namespace = %(namespace)s and o.expires_at > o.created_at + ttl.span
  order by o.fingerprint limit %(limit)s for update of o
),
shortened as (
  update public.cache_entries e set expires_at = old.until
  from old where e.tenant_id = %(tenant)s and e.id = old.id
  returning e.id
),
vectors as (
  update public.cache_vectors v set expires_at = old.until
  from old where v.tenant_id = %(tenant)s and v.entry_id = old.id
)
select count(*) as entries from shortened
