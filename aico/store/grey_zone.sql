-- name: candidate
select e.id as entry_id, e.question, e.answer, e.routing,
  (-(v.embedding operator(extensions.<#>) j.embedding))::real as similarity
from public.jobs j
join public.cache_entries e on e.tenant_id = j.tenant_id and e.id = j.near_entry
join public.cache_vectors v on v.tenant_id = e.tenant_id and v.entry_id = e.id and v.model = j.embedding_model
where j.tenant_id = %(tenant)s and j.id = %(id)s and j.fence = %(fence)s and j.near_probability is not null
  and e.namespace = j.namespace and e.expires_at > now() and e.question is not null
  and ((j.controls ->> 'max_staleness_seconds') is null
    or e.created_at >= now() - make_interval(secs => (j.controls ->> 'max_staleness_seconds')::double precision))
  and not exists (  -- somebody has asked the same meanwhile, and it does not serve
    select from public.cache_checks c
    where c.tenant_id = %(tenant)s and c.fingerprint = j.fingerprint and not c.verdict and c.answered_by = e.job_id
  )

-- name: begin
select private.begin_asking(%(tenant)s, %(id)s, %(fence)s, %(call)s::jsonb, %(cents)s::numeric, %(tenant_budget)s::numeric,
  %(service_budget)s::numeric) as begun

-- name: settle
select held, remembered from private.settle_asking(%(tenant)s, %(id)s, %(fence)s, %(events)s::jsonb, %(made)s,
  %(cost)s::numeric, %(differs)s::numeric, %(entry)s, %(same)s::boolean, %(audited)s::boolean, %(chance)s::real)
