-- name: give
with judged as (
  select id, answer is not null as answered, routing ->> 'model' as model, served_from is not null as cached
  from public.jobs where tenant_id = %(tenant)s and id = %(job)s
),
given as (  -- the same again leaves even its time as it is
  insert into public.feedback as f (tenant_id, job_id, score, source, comment)
  select %(tenant)s, id, %(score)s, 'user', %(comment)s from judged where answered
  on conflict (tenant_id, job_id) where source = 'user'
    do update set score = excluded.score, comment = excluded.comment, created_at = case
      when (f.score, f.comment) is distinct from (excluded.score, excluded.comment) then now() else f.created_at end
  returning created_at
)
select j.answered, g.created_at,
  case when j.answered and j.model is not null
    then private.observe(%(tenant)s, j.id, j.model, %(score)s::real, 'user') end as observed,
  case when j.answered and j.cached
    then private.judge_hit(%(tenant)s, j.id, %(good)s, %(least_good)s::integer[]) end as namespace,
  case when j.answered and not j.cached
    then private.judge_own_entry(%(tenant)s, j.id, %(good)s, %(least_good)s::integer[])::text end as own
from judged j left join given g on true

-- name: get
select score, comment, created_at from public.feedback
where tenant_id = %(tenant)s and job_id = %(job)s and source = 'user'
