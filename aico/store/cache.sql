-- name: near
select p.id as job_id, m.id as entry_id, m.question, m.model, m.answer_group, m.compared, m.similarity
from unnest(%(ids)s::uuid[], %(namespaces)s::bytea[], %(embeddings)b::extensions.halfvec[], %(floors)s::real[],
  %(max_ages)s::real[]) as p (id, namespace, embedding, least, max_age)
cross join lateral (  -- answers that are known not to serve this question
  select coalesce(array_agg(e.id), '{}') as ids
  from public.jobs j
  cross join lateral (
    select c.answered_by from public.cache_checks c
    where c.tenant_id = %(tenant)s and c.fingerprint = j.fingerprint and not c.verdict
    union all
    select unnest(c.refuted) from public.cache_checks c
    where c.tenant_id = %(tenant)s and c.fingerprint = j.fingerprint and c.refuted is not null
  ) r
  cross join lateral (  -- offset: else all the tenant's entries are read to join those few
    select e.id from public.cache_entries e where e.tenant_id = %(tenant)s and e.job_id = r.answered_by offset 0
  ) e
  where j.tenant_id = %(tenant)s and j.id = p.id
) refuted
cross join lateral private.nearest_entries(
  %(tenant)s, p.namespace, %(model)s, p.embedding, p.least, %(count)s, make_interval(secs => p.max_age)) m
where m.id <> all (refuted.ids)

-- name: answers
select id as entry_id, answer, routing from public.cache_entries
where tenant_id = %(tenant)s and id = any (%(ids)s::uuid[]) and expires_at > now()

-- name: purge_expired
select private.purge_expired_answers(%(limit)s) as purged

-- name: add_up
select private.add_up_cache_changes(%(limit)s) as added

-- name: evict
select private.evict_answers(%(most)s, %(most_bytes)s, %(limit)s) as evicted
