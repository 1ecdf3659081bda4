-- name: observe
with judged as (
  select j.id, j.routing ->> 'model' as answered_by, (j.finished_at at time zone 'UTC')::date as day,
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
)
select exists (select from stored) as stored from judged
