-- name: probe
select p.id as job_id, m.id as entry_id, m.answer, m.routing, m.similarity
from unnest(%(ids)s::uuid[], %(namespaces)s::bytea[], %(embeddings)b::extensions.halfvec[], %(thresholds)s::real[],
  %(max_ages)s::real[]) as p (id, namespace, embedding, threshold, max_age)
cross join lateral public.match_cache_entries(
  %(tenant)s, p.namespace, %(model)s, p.embedding, p.threshold, 1, make_interval(secs => p.max_age)) m

-- name: purge_expired
select private.purge_expired_answers(%(limit)s) as purged
