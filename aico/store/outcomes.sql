-- name: observe
with judged as (
  select j.id, j.api_key_id, j.assigned ->> 'user' as drawn_user, j.routing ->> 'model' as answered_by, (j.finished_at at time zone 'UTC')::date as day,
    array(select jsonb_array_elements_text(j.assigned -> 'arms')) as arms
  from public.jobs j where j.tenant_id = %(tenant)s and j.id = %(job)s and j.answer is not null
),
prior as (
  select o.quality from public.outcomes o
  where o.tenant_id = %(tenant)s and o.job_id = %(job)s and o.model = %(model)s for update
),
stored as (
  insert into public.outcomes as o (tenant_id, job_id, model, quality, source)
  select %(tenant)s, id, %(model)s, %(quality)s, %(source)s
  from judged left join prior on true  -- which is so read before it is replaced
  on conflict (tenant_id, job_id, model) do update
    set quality = excluded.quality, source = excluded.source, observed_at = now()
    where private.weight_of(excluded.source) >= private.weight_of(o.source)
  returning o.quality
),
arms_judged as (  -- an arm is judged by the answers that it gave
  insert into public.arm_rollups as r (tenant_id, arm, day, judged, quality, quality_squared)
  select %(tenant)s, arm, j.day, 1 - (p.quality is not null)::integer, s.quality - coalesce(p.quality, 0),
    s.quality ^ 2 - coalesce(p.quality, 0) ^ 2
  from judged j cross join stored s left join prior p on true, unnest(j.arms) as arm
  where j.answered_by = %(model)s
  order by arm
  on conflict (tenant_id, arm, day) do update set
    judged = r.judged + excluded.judged,
    quality = r.quality + excluded.quality,
    quality_squared = r.quality_squared + excluded.quality_squared
),
units_judged as (  -- likewise of experiments on what makes several jobs
  insert into public.assignments as a (tenant_id, experiment_id, unit, arm, propensity, judged, quality)
  select %(tenant)s, e.id, u.unit, substr(arm, 38), private.propensity_of(e.arms, substr(arm, 38)),
    1 - (p.quality is not null)::integer, s.quality - coalesce(p.quality, 0)
  from judged j cross join stored s left join prior p on true cross join lateral unnest(j.arms) as arm
  join public.experiments e
    on e.tenant_id = %(tenant)s and e.id = private.experiment_of(arm) and e.unit <> 'job'
  cross join lateral (select case when e.unit = 'key' then j.api_key_id::text else j.drawn_user end as unit) u
  where j.answered_by = %(model)s and u.unit is not null
  order by e.id
  for key share of e
  on conflict (tenant_id, experiment_id, unit) do update set
    judged = a.judged + excluded.judged,
    quality = a.quality + excluded.quality
)
select exists (select from stored) as stored from judged
