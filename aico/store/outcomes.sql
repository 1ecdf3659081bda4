-- name: observe
select stands from private.observe(%(tenant)s, %(job)s, %(model)s, %(quality)s::real, %(source)s) as o (stands)
where stands is not null

-- name: observe_repeats
select private.observe_repeats(%(since)s, %(until)s, make_interval(secs => %(patience)s), %(quality)s::real) as judged

-- name: summary
select r.model, r.task, r.source, sum(r.judged)::bigint as judged, sum(r.quality) as quality,
  sum(r.quality_squared) as quality_squared
from public.outcome_rollups r
where r.tenant_id = %(tenant)s and r.day >= %(since)s and (%(model)s::text is null or r.model = %(model)s)
group by r.model, r.task, r.source having sum(r.judged) > 0
order by r.model, r.task, r.source

-- name: pairs
select r.model, r.rival, sum(r.wins)::bigint as wins, sum(r.ties)::bigint as ties, sum(r.losses)::bigint as losses
from public.pair_rollups r
where r.tenant_id = %(tenant)s and r.day >= %(since)s
  and (%(model)s::text is null or %(model)s in (r.model, r.rival))
group by r.model, r.rival
order by r.model, r.rival
