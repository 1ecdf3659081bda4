-- name: candidates
select e.id as entry_id, e.question, e.answer, e.routing, d.probability,
  (-(v.embedding operator(extensions.<#>) j.embedding))::real as similarity
from public.jobs j
cross join lateral (
  select j.near_entry as entry, j.near_probability as probability, 0 as place
  union all
  select (o.said ->> 'entry')::uuid, (o.said ->> 'probability')::real, o.place
  from jsonb_array_elements(j.near_others) with ordinality o (said, place)
) d
join public.cache_entries e on e.tenant_id = j.tenant_id and e.id = d.entry
join public.cache_vectors v on v.tenant_id = e.tenant_id and v.entry_id = e.id and v.model = j.embedding_model
where j.tenant_id = %(tenant)s and j.id = %(id)s and j.fence = %(fence)s and j.near_probability is not null
  and e.namespace = j.namespace and e.expires_at > now() and e.question is not null
  and ((j.controls ->> 'max_staleness_seconds') is null
    or e.created_at >= now() - make_interval(secs => (j.controls ->> 'max_staleness_seconds')::double precision))
  and not exists (  -- somebody has asked the same meanwhile, and it does not serve
    select from public.cache_checks c
    where c.tenant_id = %(tenant)s and c.fingerprint = j.fingerprint and not c.verdict and c.answered_by = e.job_id
  )
  and not exists (
    select from public.cache_checks c
    where c.tenant_id = %(tenant)s and c.fingerprint = j.fingerprint and c.refuted is not null
      and e.job_id = any (c.refuted)
  )
order by d.place

-- name: begin
select private.begin_asking(%(tenant)s, %(id)s, %(fence)s, %(call)s::jsonb, %(cents)s::numeric, %(tenant_budget)s::numeric,
  %(service_budget)s::numeric) as begun

-- name: settle
select held, served from private.settle_verdicts(%(tenant)s, %(id)s, %(fence)s, %(events)s::jsonb, %(made)s,
  %(cost)s::numeric, %(differs)s::numeric, %(verdicts)s::jsonb, %(audited)s::boolean, %(chance)s::real)
