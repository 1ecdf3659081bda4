-- name: to_embed
select j.id, j.fence, j.namespace, j.cache_mode, j.class, j.request #>> '{messages,-1,content}' as text, j.api_key_id,
  coalesce(t.similarity_threshold, %(floor)s)::real as floor,
  (j.controls ->> 'max_staleness_seconds')::real as max_age, k.models, t.cache_guards, t.max_error_rate,
  n.state, n.cut, n.weights, n.bound, n.features_version, n.embedding_model, n.target, n.confidence, j.traceparent,
  j.bell_at as rung_at,
  coalesce(n.verdicts, 0) as verdicts, coalesce(n.audited, 0) as audited, coalesce(n.judged, 0) as judged,
  t.implicit_outcomes, t.shadow_rate, t.judge_model, t.judge_daily_cents, t.compare_with_own_keys, t.draw_salt,
  coalesce(array(select jsonb_array_elements_text(j.assigned -> 'arms')), '{}') as arms,
  j.fingerprint, private.patience(j.class, j.deadline_given) as patience,
  j.cache_mode = 'semantic' and j.awaits is null and j.assigned #>> '{treatment,cache}' is null
    and (j.controls ->> 'max_staleness_seconds')::real is distinct from 0
    and coalesce((j.controls ->> 'wait_for_similar')::boolean, j.class = 'batch') as waits
from public.jobs j
join public.tenants t on t.id = j.tenant_id
left join public.cache_namespaces n on n.tenant_id = j.tenant_id and n.namespace = j.namespace
left join public.api_keys k on k.tenant_id = j.tenant_id and k.id = j.api_key_id
where j.tenant_id = %(tenant)s and j.id = any (%(ids)s::uuid[]) and j.status = 'queued' and j.stage = 'embed'
  and j.bell_at is not null

-- name: advance
with ready as (
  update public.jobs j set stage = 'route', embedding = i.embedding, embedding_model = %(model)s, near_entry = i.near,
    near_probability = i.probability, near_others = i.others, bell_at = now()
  from unnest(%(ids)s::uuid[], %(fences)s::bigint[], %(embeddings)b::extensions.halfvec[], %(nears)s::uuid[],
    %(probabilities)s::real[], %(others)s::jsonb[]) as i (id, fence, embedding, near, probability, others)
  where j.tenant_id = %(tenant)s and j.id = i.id and j.fence = i.fence and j.status = 'queued' and j.stage = 'embed'
  returning j.id, j.class, j.namespace, j.fingerprint, j.embedding, j.embedding_model
),
drawn as (
  insert into public.cache_checks (tenant_id, job_id, namespace, entry_id, kind, chance, similarity, score, features,
    features_version, allowed, fingerprint, embedding, embedding_model)
  select %(tenant)s, r.id, r.namespace, c.entry, c.kind, c.chance, c.similarity, c.score, c.features,
    c.features_version, c.allowed, r.fingerprint, r.embedding, r.embedding_model
  from ready r join jsonb_to_recordset(%(checks)s::jsonb) as c (job uuid, entry uuid, kind text, chance real,
    similarity real, score double precision, features double precision[], features_version smallint,
    allowed double precision) on c.job = r.id
  on conflict do nothing
)
select id, class from ready
