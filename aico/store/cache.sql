-- name: probe
select p.id as job_id, m.id as entry_id, m.answer, m.routing, m.similarity
from unnest(%(ids)s::uuid[], %(namespaces)s::bytea[], %(embeddings)b::extensions.halfvec[], %(thresholds)s::real[])
  as p (id, namespace, embedding, threshold)
cross join lateral public.match_cache_entries(
  %(tenant)s, p.namespace, %(model)s, p.embedding, p.threshold, 1) m

-- name: purge_expired
select private.purge_expired_answers(%(limit)s) as purged
