-- name: under_way
with asked as materialized (
  select * from unnest(%(ids)s::uuid[], %(namespaces)s::bytea[], %(fingerprints)s::bytea[],
    %(embeddings)b::extensions.halfvec[], %(floors)s::real[], %(patiences)s::integer[], %(arms)s::jsonb[])
    as a (id, namespace, fingerprint, embedding, least, patience, arms)
),
flight as materialized (  -- read once, however many ask
  select n.namespace, o.*
  from (select distinct namespace from asked) n
  cross join lateral (
    select j.id, j.embedding, private.patience(j.class, j.deadline_given) as patience,
      coalesce(j.assigned -> 'arms', '[]') as arms
    from public.jobs j
    where j.tenant_id = %(tenant)s and j.namespace = n.namespace and j.stage in ('route', 'lane')
      and j.status in ('queued', 'in_progress') and j.embedding is not null and j.embedding_model = %(model)s
    order by j.id desc limit %(most)s
  ) o
)
select a.id as job_id, m.id as leader, l.request #>> '{messages,-1,content}' as question, m.similarity,
  l.near_entry is null as compared, l.fingerprint = a.fingerprint as identical
from asked a
cross join lateral (
  select * from (
    select f.id, (-(f.embedding operator(extensions.<#>) a.embedding))::real as similarity
    from flight f where f.namespace = a.namespace and f.patience <= a.patience and f.arms = a.arms
  ) f
  where f.similarity >= a.least
  order by f.similarity desc, f.id limit %(count)s
) m
join public.jobs l on l.tenant_id = %(tenant)s and l.id = m.id

-- name: wait
update public.jobs j
set status = 'in_progress', stage = 'await', awaits = i.leader, run_after = now() + (j.deadline - now()) / 2
from unnest(%(ids)s::uuid[], %(fences)s::bigint[], %(leaders)s::uuid[]) as i (id, fence, leader)
where j.tenant_id = %(tenant)s and j.id = i.id and j.fence = i.fence and j.status = 'queued' and j.stage = 'embed'
returning j.id

-- name: end_waiting
select private.end_waiting(%(limit)s) as back
