-- name: outcomes
select o.job_id, o.model, o.quality, o.source, o.learned_quality,
  coalesce(o.learned_source, o.source) as learned_source, coalesce(o.learned_weight, 1) as learned_weight, o.learned_clock,
  d.task, d.design, d.features, extensions.halfvec_send(d.embedding) as vector,
  d.draft_model = o.model as of_draft, d.model is not distinct from d.draft_model as draft_served, d.draft_design, d.draft_features
from public.outcomes o left join public.decisions d on d.tenant_id = o.tenant_id and d.job_id = o.job_id
where o.tenant_id = %(tenant)s and o.to_learn
order by o.observed_at limit %(limit)s

-- name: recent
select d.design, d.features, extensions.halfvec_send(d.embedding) as vector, d.cents
from (
  select * from public.decisions where tenant_id = %(tenant)s order by job_id desc limit 2 * %(limit)s
) d
where d.strategy <> 'named' order by d.job_id desc limit %(limit)s
