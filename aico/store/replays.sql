-- name: replayable
select count(*) as decisions, count(*) filter (where j.id is null) as wordless
from public.decisions d left join public.jobs j on j.tenant_id = d.tenant_id and j.id = d.job_id
where d.tenant_id = %(tenant)s and d.at >= %(since)s and d.at < %(until)s and d.asked = any (%(asked)s::text[])

-- name: page
select d.job_id, j.request, j.controls, d.learned_version, d.asked, d.first_choice, d.model, d.chances, d.expected,
  d.cents, d.cost_cents, d.strategy = 'cascade' and d.expected <> '{}' as drafted, extensions.halfvec_send(d.embedding) as vector, o.quality
from public.decisions d
join public.jobs j on j.tenant_id = d.tenant_id and j.id = d.job_id
left join public.outcomes o on o.tenant_id = d.tenant_id and o.job_id = d.job_id and o.model = d.first_choice
where d.tenant_id = %(tenant)s and d.at >= %(since)s and d.at < %(until)s and d.asked = any (%(asked)s::text[])
  and d.job_id > %(after)s
order by d.job_id limit %(limit)s
