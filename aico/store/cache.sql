-- name: probe
select p.id as job_id, m.id as entry_id, m.answer, m.routing, m.similarity
from unnest(%(ids)s::uuid[], %(namespaces)s::bytea[], %(embeddings)s::extensions.halfvec[], %(thresholds)s::real[])
  as p (id, namespace, embedding, threshold)
cross join lateral public.match_cache_entries(
  %(tenant)s, p.namespace, %(model)s, p.embedding, p.threshold, 1) m

-- name: stats
select entries, exact_hits, semantic_hits, calls, saved_cents from public.get_user_cache_stats()
