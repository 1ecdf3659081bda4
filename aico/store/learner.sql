-- name: due
select due_learners as tenant_id
from private.due_learners(%(enough)s, make_interval(secs => %(patience)s), %(limit)s)

-- name: claim
insert into public.learners as l (tenant_id, fence, lease_until)
values (%(tenant)s, 1, now() + make_interval(secs => %(lease)s))
on conflict (tenant_id) do update set fence = l.fence + 1, lease_until = excluded.lease_until
  where l.lease_until is null or l.lease_until < now()
returning fence, version, clock

-- name: statistics
select kind, model, design, statistics, labels, clock, tasks from public.learner_statistics
where tenant_id = %(tenant)s

-- name: keep
with held as (
  update public.learners l
  set fence = l.fence + 1, lease_until = null, clock = %(clock)s, due_at = now() + make_interval(secs => %(pause)s), updated_at = now(),
    version = l.version + (%(solution)b::bytea is not null)::integer
  where l.tenant_id = %(tenant)s and l.fence = %(fence)s
  returning l.tenant_id, l.version, l.pinned
),
kept as (
  insert into public.learner_statistics (tenant_id, kind, model, design, statistics, labels, clock, tasks)
  select h.tenant_id, s.kind, s.model, s.design, s.statistics, s.labels, %(clock)s, s.tasks
  from held h, unnest(%(kinds)s::text[], %(models)s::text[], %(designs)s::text[], %(statistics)b::bytea[],
    %(labels)s::double precision[], %(tasks)s::jsonb[]) as s (kind, model, design, statistics, labels, tasks)
  on conflict (tenant_id, kind, model) do update
    set design = excluded.design, statistics = excluded.statistics, labels = excluded.labels, clock = excluded.clock,
      tasks = excluded.tasks, updated_at = now()
),
marked as (  -- a better judgement that came meanwhile stays to be learned
  update public.outcomes o
  set learned_quality = m.quality, learned_source = m.source, learned_weight = m.weight, learned_clock = m.clock
  from held h, unnest(%(mark_jobs)s::uuid[], %(mark_models)s::text[], %(mark_qualities)s::real[],
    %(mark_sources)s::text[], %(mark_weights)s::double precision[], %(mark_clocks)s::double precision[])
    as m (job, model, quality, source, weight, clock)
  where o.tenant_id = h.tenant_id and o.job_id = m.job and o.model = m.model
),
solved as (
  insert into public.learner_solutions (tenant_id, version, design, solution, verifier, labels, target, price)
  select h.tenant_id, h.version, %(design)s, %(solution)b, %(verifier)b, %(all_labels)s, %(target)s, %(price)s
  from held h where %(solution)b::bytea is not null
),
pruned as (
  delete from public.learner_solutions s using held h
  where s.tenant_id = h.tenant_id and s.version <= h.version - %(versions)s and s.version is distinct from h.pinned
)
select version from held

-- name: solution
select solution, verifier from public.learner_solutions where tenant_id = %(tenant)s and version = %(version)s

-- name: in_use
select s.solution from public.learners l
join public.learner_solutions s on s.tenant_id = l.tenant_id and s.version = coalesce(l.pinned, l.version)
where l.tenant_id = %(tenant)s

-- name: version
select coalesce(pinned, version) as version from public.learners where tenant_id = %(tenant)s

-- name: standing
select l.version, l.pinned, l.updated_at, s.design, s.labels, s.target, s.price, s.created_at
from public.learners l
left join public.learner_solutions s on s.tenant_id = l.tenant_id and s.version = coalesce(l.pinned, l.version)
where l.tenant_id = %(tenant)s

-- name: models
select s.model, s.labels * exp(greatest(s.clock - l.clock, -99)) as labels, s.tasks, s.updated_at
from public.learner_statistics s join public.learners l on l.tenant_id = s.tenant_id
where s.tenant_id = %(tenant)s and s.kind = 'model' order by s.model

-- name: history
select s.version, s.design, s.labels, s.target, s.price, s.created_at, octet_length(s.solution) + coalesce(octet_length(s.verifier), 0) as bytes,
  s.version = coalesce(l.pinned, l.version) as counts, s.version is not distinct from l.pinned as pinned
from public.learner_solutions s join public.learners l on l.tenant_id = s.tenant_id
where s.tenant_id = %(tenant)s order by s.version desc

-- name: pin
with pinned as (
  update public.learners l set pinned = %(version)s
  where l.tenant_id = %(tenant)s and exists (
    select from public.learner_solutions s where s.tenant_id = l.tenant_id and s.version = %(version)s
  )
  returning l.tenant_id
),
audited as (
  insert into public.audit_log (tenant_id, actor, action, subject, detail)
  select tenant_id, %(actor)s, 'learner.rolled_back', tenant_id::text, jsonb_build_object('version', %(version)s::bigint)
  from pinned
)
select tenant_id from pinned

-- name: unpin
with released as (
  update public.learners l set pinned = null
  from (select tenant_id, pinned from public.learners where tenant_id = %(tenant)s for update) former
  where l.tenant_id = former.tenant_id and former.pinned is not null
  returning l.tenant_id, former.pinned
),
audited as (
  insert into public.audit_log (tenant_id, actor, action, subject, detail)
  select tenant_id, %(actor)s, 'learner.resumed', tenant_id::text, jsonb_build_object('version', pinned) from released
)
select tenant_id from released

-- name: reset
with reset as (
  update public.learners l
  set version = l.version + 1, pinned = null, fence = l.fence + 1, lease_until = null, clock = l.clock + 1000000,
    updated_at = now()
  where l.tenant_id = %(tenant)s
  returning l.tenant_id, l.version
),
forgotten as (
  delete from public.learner_statistics s using reset r where s.tenant_id = r.tenant_id
),
audited as (
  insert into public.audit_log (tenant_id, actor, action, subject, detail)
  select tenant_id, %(actor)s, 'learner.reset', tenant_id::text, jsonb_build_object('version', version) from reset
)
select tenant_id from reset
