-- name: create
with made as (
  insert into public.experiments (tenant_id, id, name, description, unit, arms, plan, levers, created_by)
  select %(tenant)s, %(id)s, %(name)s, %(description)s, %(unit)s, %(arms)s::jsonb, %(plan)s::jsonb, %(levers)s::text[],
    %(by)s
  where (select count(*) from public.experiments where tenant_id = %(tenant)s) < %(most)s
  on conflict (tenant_id, name) do nothing
  returning id
),
noted as (
  insert into public.audit_log (tenant_id, actor, action, subject, detail)
  select %(tenant)s, %(by)s, 'experiment.created', id::text, jsonb_build_object('name', %(name)s::text) from made
)
select case when exists (select from made) then 'done'
  when exists (select from public.experiments where tenant_id = %(tenant)s and name = %(name)s) then 'name_taken'
  else 'too_many' end as outcome

-- name: change
with prior as (
  select id, status from public.experiments where tenant_id = %(tenant)s and id = %(id)s for update
),
taken as (
  select from public.experiments where tenant_id = %(tenant)s and id <> %(id)s and name = %(changes)s::jsonb ->> 'name'
),
changed as (
  update public.experiments e
  set (name, description, unit, arms, plan, levers) = (
    select n.name, n.description, n.unit, n.arms, n.plan, n.levers
    from jsonb_populate_record(e, %(changes)s::jsonb) n
  )
  from prior p
  where e.tenant_id = %(tenant)s and e.id = p.id and (p.status = 'draft' or %(anytime)s) and not exists (select from taken)
  returning e.id
),
noted as (
  insert into public.audit_log (tenant_id, actor, action, subject, detail)
  select %(tenant)s, %(by)s, 'experiment.changed', id::text, %(changes)s::jsonb from changed
)
select case when exists (select from changed) then 'done' when exists (select from taken) then 'name_taken'
  else p.status end as outcome
from prior p

-- name: start
with prior as (
  select id, status, levers from public.experiments where tenant_id = %(tenant)s and id = %(id)s for update
),
others as (
  select e.name, e.levers from public.experiments e
  where e.tenant_id = %(tenant)s and e.status = 'running' and e.id <> %(id)s
),
rival as (
  select o.name from others o, prior p where o.levers && p.levers order by o.name limit 1
),
started as (
  update public.experiments e set status = 'running', started_at = now()
  from prior p
  where e.tenant_id = %(tenant)s and e.id = p.id and p.status = 'draft' and not exists (select from rival)
    and (select count(*) from others) < %(most)s
  returning e.id
),
noted as (
  insert into public.audit_log (tenant_id, actor, action, subject)
  select %(tenant)s, %(by)s, 'experiment.started', id::text from started
)
select case when exists (select from started) then 'done' when p.status <> 'draft' then p.status
  when exists (select from rival) then 'rival' else 'too_many' end as outcome, (select name from rival) as rival
from prior p

-- name: stop
with stopped as (
  update public.experiments
  set status = 'stopped', stopped_at = now(), stopped_because = %(because)s
  where tenant_id = %(tenant)s and id = %(id)s and status = 'running'
  returning id, name
),
noted as (
  insert into public.audit_log (tenant_id, actor, action, subject, detail)
  select %(tenant)s, %(by)s, 'experiment.stopped', id::text, jsonb_build_object('because', %(because)s::text)
  from stopped
)
select private.raise_alert(%(tenant)s, 'experiment.stopped', id::text,
  jsonb_build_object('experiment_id', id, 'name', name, 'because', %(because)s::text)) as done
from stopped

-- name: end_arm
with ended as (
  update public.experiments e
  set arms = (
    select jsonb_agg(case when a ->> 'name' = %(arm)s
      then a || jsonb_build_object('ended', jsonb_build_object('at', now(), 'because', %(because)s::text))
      else a end order by place)
    from jsonb_array_elements(e.arms) with ordinality as of (a, place)
  )
  where e.tenant_id = %(tenant)s and e.id = %(id)s and e.status = 'running' and exists (
    select from jsonb_array_elements(e.arms) a where a ->> 'name' = %(arm)s and a -> 'ended' is null)
  returning e.id, e.name
),
noted as (
  insert into public.audit_log (tenant_id, actor, action, subject, detail)
  select %(tenant)s, %(by)s, 'experiment.arm_ended', id::text,
    jsonb_build_object('arm', %(arm)s::text, 'because', %(because)s::text)
  from ended
)
select private.raise_alert(%(tenant)s, 'experiment.arm_ended', id::text || ' ' || %(arm)s::text,
  jsonb_build_object('experiment_id', id, 'name', name, 'arm', %(arm)s::text, 'because', %(because)s::text)) as done
from ended

-- name: remove
with prior as (
  select id, status, name from public.experiments where tenant_id = %(tenant)s and id = %(id)s for update
),
removed as (
  delete from public.experiments e using prior p
  where e.tenant_id = %(tenant)s and e.id = p.id and p.status <> 'running'
  returning e.id, e.name, e.arms
),
rollups_removed as (
  delete from public.arm_rollups
  where tenant_id = %(tenant)s
    and arm in (select r.id || '/' || (a ->> 'name') from removed r, jsonb_array_elements(r.arms) a)
),
noted as (
  insert into public.audit_log (tenant_id, actor, action, subject, detail)
  select %(tenant)s, %(by)s, 'experiment.removed', id::text, jsonb_build_object('name', name) from removed
)
select case when exists (select from removed) then 'done' else p.status end as outcome from prior p

-- name: page
select id, name, description, status, unit, arms, plan, created_by, created_at, started_at, stopped_at, stopped_because
from public.experiments
where tenant_id = %(tenant)s and (%(id)s::uuid is null or id = %(id)s) and (%(after)s::uuid is null or id < %(after)s)
order by id desc limit %(limit)s

-- name: running
select tenant_id, experiment_id from private.running_experiments()

-- name: days
select substr(r.arm, 38) as arm, r.day, r.answered, r.failed, r.unpriced, r.cents, r.cents_squared, r.latency_ms,
  r.latency_ms_squared, r.judged, r.quality, r.quality_squared
from public.experiments e, jsonb_array_elements(e.arms) a
join public.arm_rollups r on r.tenant_id = %(tenant)s and r.arm = %(id)s::text || '/' || (a ->> 'name')
where e.tenant_id = %(tenant)s and e.id = %(id)s
order by r.day, r.arm

-- name: clusters
select arm, count(*) as units, sum(jobs)::bigint as jobs, sum(failed)::bigint as failed, sum(judged)::bigint as judged,
  sum(cents) as cents, sum(latency_ms) as latency_ms, sum(quality) as quality,
  sum(jobs::numeric * jobs) as jobs_squared,
  sum(jobs * cents) as jobs_cents, sum(cents * cents) as cents_squared,
  sum(jobs::numeric * failed) as jobs_failed, sum(failed::numeric * failed) as failed_squared,
  sum((jobs - failed)::numeric * (jobs - failed)) as answered_squared,
  sum((jobs - failed) * latency_ms) as answered_latency_ms, sum(latency_ms * latency_ms) as latency_ms_squared,
  sum(judged::numeric * judged) as judged_squared,
  sum(judged * quality) as judged_quality, sum(quality * quality) as quality_squared
from public.assignments
where tenant_id = %(tenant)s and experiment_id = %(id)s
group by arm
