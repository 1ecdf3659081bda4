-- name: to_embed
select j.id, j.fence, j.namespace, j.cache_mode, j.class, j.request #>> '{messages,-1,content}' as text, j.api_key_id,
  coalesce(t.similarity_threshold, %(threshold)s)::real as threshold,
  (j.controls ->> 'max_staleness_seconds')::real as max_age, k.models,
  coalesce(array(select jsonb_array_elements_text(j.assigned -> 'arms')), '{}') as arms
from public.jobs j
join public.tenants t on t.id = j.tenant_id
left join public.api_keys k on k.tenant_id = j.tenant_id and k.id = j.api_key_id
where j.tenant_id = %(tenant)s and j.id = any (%(ids)s::uuid[]) and j.status = 'queued' and j.stage = 'embed'
  and j.bell_at is not null

-- name: advance
update public.jobs j set stage = 'route', embedding = i.embedding, embedding_model = %(model)s, bell_at = now()
from unnest(%(ids)s::uuid[], %(fences)s::bigint[], %(embeddings)b::extensions.halfvec[]) as i (id, fence, embedding)
where j.tenant_id = %(tenant)s and j.id = i.id and j.fence = i.fence and j.status = 'queued' and j.stage = 'embed'
returning j.id, j.class
