-- name: standing
with judged as (
  select s.model, s.labels * exp(greatest(s.clock - l.clock, -99)) as labels, s.tasks
  from public.learner_statistics s join public.learners l on l.tenant_id = s.tenant_id
  where s.tenant_id = %(tenant)s and s.kind = 'draft'
),
checked as (
  select r.draft_model as model, count(*) as checked, count(*) filter (where r.draft_passed) as passed
  from (
    select d.draft_model, d.draft_passed from public.decisions d
    where d.tenant_id = %(tenant)s and d.draft_model is not null order by d.job_id desc limit %(limit)s
  ) r
  group by r.draft_model
)
select model, coalesce(j.labels, 0) as labels, coalesce(j.tasks, '{}') as tasks, coalesce(c.checked, 0) as checked,
  coalesce(c.passed, 0) as passed
from judged j full join checked c using (model) order by model
