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

-- name: rules
select t.cache_guards, t.similarity_threshold, n.namespace is not null as known, n.state, n.cut, n.weights, n.bound,
  n.verdicts, n.audited, n.judged, n.features_version, n.embedding_model, n.target, n.confidence, t.max_error_rate
from public.tenants t
left join public.cache_namespaces n on n.tenant_id = t.id and n.namespace = %(namespace)s::bytea
where t.id = %(tenant)s

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

-- name: drop_stale
with gone as (
  delete from public.cache_entries e
  where e.tenant_id = %(tenant)s and e.id = any (array(
    select o.id
    from public.cache_namespaces n
    join public.cache_entries o on o.tenant_id = n.tenant_id and o.namespace = n.namespace
    where n.tenant_id = %(tenant)s and n.namespace = %(namespace)s
      and o.created_at < now() - make_interval(secs => n.ttl_seconds)
    order by o.created_at limit %(limit)s for update of o
  ))
  returning 1
)
select count(*) as entries from gone
