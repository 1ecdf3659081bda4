-- name: give
with judged as (
  select id, answer is not null as answered from public.jobs where tenant_id = %(tenant)s and id = %(job)s
),
given as (
  insert into public.feedback (tenant_id, job_id, score, source, comment)
  select %(tenant)s, id, %(score)s, 'user', %(comment)s from judged where answered
  on conflict (tenant_id, job_id) where source = 'user'
    do update set score = excluded.score, comment = excluded.comment, created_at = now()
  returning created_at
)
select j.answered, g.created_at from judged j left join given g on true
