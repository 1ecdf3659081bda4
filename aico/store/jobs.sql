-- name: submit
with incoming as (
  select * from unnest(
    %(ids)s::uuid[], %(key_ids)s::uuid[], %(classes)s::text[], %(cache_modes)s::text[], %(requests)s::jsonb[],
    %(namespaces)s::bytea[], %(fingerprints)s::bytea[], %(metadata)s::jsonb[], %(timeouts)s::real[], %(stages)s::text[],
    %(reads)s::boolean[]
  ) as i (id, api_key_id, class, cache_mode, request, namespace, fingerprint, metadata, timeout, stage, reads)
),
found as (
  select i.*, e.id as entry_id, e.answer,
    e.routing || '{"cache": "exact", "cost_cents": "0", "attempts": 0}'::jsonb as routing
  from incoming i
  left join public.cache_entries e
    on i.reads and e.tenant_id = %(tenant)s and e.fingerprint = i.fingerprint and e.expires_at > now()
),
job as (
  insert into public.jobs (id, tenant_id, api_key_id, status, stage, class, cache_mode, request, namespace, fingerprint,
    metadata, deadline, answer, routing, finished_at)
  select id, %(tenant)s, api_key_id, case when entry_id is null then 'queued' else 'completed' end, stage, class,
    cache_mode, request, namespace, fingerprint, metadata, now() + make_interval(secs => timeout), answer, routing,
    case when entry_id is not null then now() end
  from found
),
event as (
  insert into public.ledger_outbox (id, tenant_id, at, job_id, api_key_id, kind, outcome, provider, model, latency_ms,
    cost_cents, baseline_model, baseline_cost_cents, strategy)
  select gen_random_uuid(), %(tenant)s, now(), id, api_key_id, 'exact_hit', 'ok', routing ->> 'provider',
    routing ->> 'model', 0, 0, routing ->> 'baseline_model', (routing ->> 'baseline_cost_cents')::numeric, 'cache'
  from found where entry_id is not null
)
select id, now() as created_at, answer, routing from found

-- name: to_embed
select j.id, j.fence, j.namespace, j.cache_mode, j.class, j.request #>> '{messages,-1,content}' as text, j.api_key_id,
  coalesce(t.similarity_threshold, %(threshold)s)::real as threshold
from public.jobs j
join public.tenants t on t.id = j.tenant_id
where j.tenant_id = %(tenant)s and j.id = any (%(ids)s::uuid[]) and j.status = 'queued' and j.stage = 'embed'

-- name: advance
update public.jobs j set stage = 'route', embedding = i.embedding, embedding_model = %(model)s, bell_at = now()
from unnest(%(ids)s::uuid[], %(fences)s::bigint[], %(embeddings)b::extensions.halfvec[]) as i (id, fence, embedding)
where j.tenant_id = %(tenant)s and j.id = i.id and j.fence = i.fence and j.status = 'queued' and j.stage = 'embed'
returning j.id, j.class

-- name: claim
with prior as (
  select id, status from public.jobs
  where tenant_id = %(tenant)s and id = %(id)s and stage = 'route'
    and (status = 'queued' or (status = 'in_progress' and lease_until < now()))
  for update skip locked
)
update public.jobs j
set status = 'in_progress', claims = j.claims + 1, fence = j.fence + 1,
  lease_until = now() + make_interval(secs => %(lease)s)
from prior, public.tenants t
where j.tenant_id = %(tenant)s and j.id = prior.id and t.id = j.tenant_id
returning j.id, j.fence, j.request, j.cache_mode, j.api_key_id, j.deadline, t.baseline_model,
  prior.status = 'in_progress' as taken_over, extract(epoch from j.deadline - now())::real as seconds_left

-- name: renew
update public.jobs j set lease_until = now() + make_interval(secs => %(lease)s)
from unnest(%(ids)s::uuid[], %(fences)s::bigint[]) as held (id, fence)
where j.tenant_id = any (%(tenants)s::uuid[]) and j.id = held.id and j.fence = held.fence and j.status = 'in_progress'
returning j.id, j.fence

-- name: finish
with ending as (
  select * from unnest(
    %(ids)s::uuid[], %(fences)s::bigint[], %(statuses)s::text[], %(answers)s::jsonb[], %(routings)s::jsonb[],
    %(errors)s::jsonb[], %(keeps)s::boolean[]
  ) as f (id, fence, status, answer, routing, error, keep)
),
prior as (
  select j.id, j.namespace, j.fingerprint, j.embedding, j.embedding_model
  from public.jobs j join ending f on f.id = j.id and f.fence = j.fence
  where j.tenant_id = %(tenant)s and j.status in ('queued', 'in_progress')
  for update of j
),
done as (
  update public.jobs j
  set status = f.status, answer = f.answer, routing = f.routing, error = f.error, finished_at = now(),
    lease_until = null, embedding = null
  from ending f join prior p on p.id = f.id
  where j.tenant_id = %(tenant)s and j.id = f.id
  returning j.id, j.status
),
entry as (
  insert into public.cache_entries (id, tenant_id, namespace, fingerprint, job_id, answer, routing, expires_at)
  select gen_random_uuid(), %(tenant)s, p.namespace, p.fingerprint, p.id, f.answer, f.routing,
    now() + make_interval(secs => %(ttl)s)
  from ending f join prior p on p.id = f.id
  where f.keep
  on conflict (tenant_id, fingerprint) do update
    set job_id = excluded.job_id, answer = excluded.answer, routing = excluded.routing, created_at = now(),
      expires_at = excluded.expires_at
  returning id, job_id, expires_at
),
vector as (
  insert into public.cache_vectors (tenant_id, namespace, model, entry_id, embedding, expires_at)
  select %(tenant)s, p.namespace, p.embedding_model, e.id, p.embedding, e.expires_at
  from entry e join prior p on p.id = e.job_id
  where p.embedding is not null
  on conflict (tenant_id, entry_id) do update
    set model = excluded.model, embedding = excluded.embedding, expires_at = excluded.expires_at
),
event as (
  insert into public.ledger_outbox
  select * from jsonb_populate_recordset(null::public.ledger_outbox, %(events)s::jsonb)
  on conflict do nothing
),
delivery as (
  insert into public.webhook_deliveries (tenant_id, endpoint_id, job_id, event, payload)
  select %(tenant)s, e.id, d.id, 'job.' || d.status, private.job_event(d.id, d.status)
  from done d join public.webhook_endpoints e on e.tenant_id = %(tenant)s
  where e.enabled and (e.events = '{}' or 'job.' || d.status = any (e.events))
  for key share of e -- an endpoint that is removed meanwhile is passed over, not an error
  returning job_id
)
select d.id, (select count(*) from delivery n where n.job_id = d.id) as deliveries from done d

-- name: get
select id, status, class, created_at, finished_at, request, metadata, answer, routing, error
from public.jobs where tenant_id = %(tenant)s and id = %(id)s

-- name: page
select id, status, class, created_at, finished_at, request, metadata, answer, routing, error
from public.jobs
where tenant_id = %(tenant)s and (%(after)s::uuid is null or id < %(after)s)
  and (%(status)s::text is null or status = %(status)s)
order by id desc limit %(limit)s

-- name: finished
select id from public.jobs
where tenant_id = %(tenant)s and id = any (%(ids)s::uuid[]) and status not in ('queued', 'in_progress')
