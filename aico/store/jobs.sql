-- name: submit
with incoming as (
  select i.*, now() - make_interval(secs => i.priority) as place,
    coalesce(i.deadline_given, now() + make_interval(secs => i.timeout)) as deadline
  from json_to_recordset(%(jobs)s::json) as i (
    number integer,
    id uuid, api_key_id uuid, class text, cache_mode text, request json, namespace bytea, fingerprint bytea,
    metadata jsonb, timeout real, deadline_given timestamptz, priority integer, max_retries smallint, stage text,
    reads boolean, key text, request_hash bytea, key_ttl real, surface text, echo jsonb, streams boolean,
    controls jsonb, tags jsonb, max_age real, batch_id uuid, batch_line integer, custom_id text, batch_fence bigint,
    tokens bigint, cents numeric, assigned jsonb, traceparent text
  )
  where i.batch_id is null or exists (  -- lines are taken in by the batch's holder alone
    select from public.batches b where b.tenant_id = %(tenant)s and b.id = i.batch_id and b.fence = i.batch_fence
  )
),
found as (
  select i.*, e.id as entry_id, e.job_id as served_from, e.answer,
    e.routing || '{"cache": "exact", "cost_cents": "0", "attempts": 0}'::jsonb
      || jsonb_build_object('arms', coalesce(i.assigned -> 'arms', '[]')) as routing
  from incoming i
  left join public.cache_entries e
    on i.reads and e.tenant_id = %(tenant)s and e.fingerprint = i.fingerprint and e.expires_at > now()
      and (i.max_age is null or e.created_at >= now() - make_interval(secs => i.max_age))
),
verdict as (  -- of quotas, if the tenant has any; what is answered from the cache needs none
  select v.job, v.reserved, v.refusal
  from (select from public.quotas q where q.tenant_id = %(tenant)s limit 1) limited
  cross join lateral private.reserve(%(tenant)s, (
    select json_agg(json_build_object('number', f.number, 'id', f.id, 'key', f.key, 'tokens', f.tokens,
      'cents', f.cents, 'scopes', private.scopes_of(f.api_key_id, array(select jsonb_array_elements_text(f.tags)))))
    from found f where f.entry_id is null
  )) v
),
kept as (  -- a key that is taken, by another transaction too, keeps its job out
  insert into public.idempotency_keys as k (tenant_id, key, request_hash, job_id, expires_at)
  select %(tenant)s, f.key, f.request_hash, f.id, now() + make_interval(secs => f.key_ttl)
  from found f where f.key is not null and f.id not in (select v.job from verdict v where v.refusal is not null)
  on conflict (tenant_id, key) do update
    set request_hash = excluded.request_hash, job_id = excluded.job_id, created_at = now(),
      expires_at = excluded.expires_at
    where k.expires_at < now()
  returning job_id
),
stored as (
  select f.*, v.reserved
  from found f left join verdict v on v.job = f.id
  where v.refusal is null and (f.key is null or f.id in (select job_id from kept))
),
room as materialized (  -- counted once, however many jobs the planner expects
  select class, private.open_places(%(tenant)s, class) as places
  from (select distinct class from stored where entry_id is null) c
),
turn as (
  select f.*, f.entry_id is null and coalesce(r.places, 0)
    >= row_number() over (partition by f.class, f.entry_id is null order by f.place, f.id) as admitted
  from stored f left join room r on r.class = f.class
),
job as (
  insert into public.jobs (id, tenant_id, api_key_id, status, stage, class, cache_mode, request, namespace, fingerprint,
    metadata, deadline, deadline_given, place, bell_at, max_retries, answer, routing, finished_at, surface, echo,
    streams, controls, tags, batch_id, batch_line, custom_id, served_from, expected_tokens, expected_cents, reserved,
    assigned, traceparent)
  select id, %(tenant)s, api_key_id, case when entry_id is null then 'queued' else 'completed' end, stage, class,
    cache_mode, request, namespace, fingerprint, metadata, deadline, deadline_given is not null, place,
    case when admitted then now() end, max_retries, answer, routing, case when entry_id is not null then now() end,
    coalesce(surface, 'job'), coalesce(echo, '{}'), coalesce(streams, false), coalesce(controls, '{}'),
    array(select jsonb_array_elements_text(tags)), batch_id, batch_line, custom_id, served_from, tokens, cents, reserved,
    assigned, traceparent
  from turn
  returning id
),
event as (
  insert into public.ledger_outbox (id, tenant_id, at, job_id, api_key_id, kind, outcome, provider, model, latency_ms,
    cost_cents, baseline_model, baseline_cost_cents, strategy, arms, job_cents)
  select gen_random_uuid(), %(tenant)s, now(), id, api_key_id, 'exact_hit', 'ok', routing ->> 'provider',
    routing ->> 'model', 0, 0, routing ->> 'baseline_model', (routing ->> 'baseline_cost_cents')::numeric, 'cache',
    case when assigned is not null then array(select jsonb_array_elements_text(assigned -> 'arms')) end,
    case when assigned is not null then 0 end
  from stored where entry_id is not null
),
told as (  -- joined with what was inserted, so that `announce` finds the rows
  select a.job_id, a.delivery_id
  from (
    select array_agg(%(tenant)s::uuid) as tenants, array_agg(id) as jobs, array_agg('completed'::text) as statuses
    from stored join job using (id) where entry_id is not null and batch_id is null having count(*) > 0
  ) hit, lateral private.announce(hit.tenants, hit.jobs, hit.statuses) a
),
fault as (  -- a line that a quota keeps out is noted here, so that it cannot be lost
  insert into public.batch_faults (tenant_id, batch_id, line, custom_id, error)
  select %(tenant)s, f.batch_id, f.batch_line, f.custom_id, jsonb_build_object('refusal', v.refusal)
  from found f join verdict v on v.job = f.id where v.refusal is not null and f.batch_id is not null
)
select t.id, now() as created_at, t.deadline, t.answer, t.routing, t.admitted,
  array(select delivery_id from told where told.job_id = t.id) as deliveries, null::jsonb as refusal
from turn t
union all
select f.id, now(), f.deadline, null, null, false, '{}', v.refusal
from found f join verdict v on v.job = f.id where v.refusal is not null

-- name: remembered
select request_hash, job_id from public.idempotency_keys
where tenant_id = %(tenant)s and key = %(key)s and expires_at >= now()

-- name: cancel
with prior as (
  select id, status from public.jobs where tenant_id = %(tenant)s and id = %(id)s for update
),
done as (
  update public.jobs j
  set status = 'cancelled', error = '{"code": "cancelled", "message": "cancelled by its owner"}', finished_at = now(),
    lease_until = null, run_after = null, calling = null, embedding = null, fence = j.fence + 1
  from prior p
  where j.tenant_id = %(tenant)s and j.id = p.id and p.status in ('queued', 'in_progress')
  returning j.id
),
told as (
  select a.delivery_id
  from (
    select array_agg(%(tenant)s::uuid) as tenants, array_agg(id) as jobs, array_agg('cancelled'::text) as statuses
    from done having count(*) > 0
  ) ended, lateral private.announce(ended.tenants, ended.jobs, ended.statuses) a
)
select p.status as before, exists (select from done) as cancelled, array(select delivery_id from told) as deliveries
from prior p

-- name: delete
with gone as (
  delete from public.jobs
  where tenant_id = %(tenant)s and id = %(id)s and status not in ('queued', 'in_progress')
  returning id
),
undecided as (
  delete from public.decisions d using gone where d.tenant_id = %(tenant)s and d.job_id = gone.id
),
unjudged as (
  delete from public.outcomes o using gone where o.tenant_id = %(tenant)s and o.job_id = gone.id
),
unsaid as (
  delete from public.feedback f using gone where f.tenant_id = %(tenant)s and f.job_id = gone.id
)
select id from gone

-- name: get
select id, status, stage, class, created_at, deadline, finished_at, bell_at is not null as admitted,
  case when stage <> 'follow' then run_after end as run_after, retries,
  history, replay_of, replayed_as, coalesce(request ->> 'model', 'auto') as model, metadata, tags, controls, surface,
  echo, streams, fence, batch_id, batch_line, custom_id, answer, routing, error
from public.jobs where tenant_id = %(tenant)s and id = %(id)s

-- name: question
select request from public.jobs where tenant_id = %(tenant)s and id = %(id)s

-- name: page
select id, status, stage, class, created_at, deadline, finished_at, bell_at is not null as admitted,
  case when stage <> 'follow' then run_after end as run_after, retries,
  history, replay_of, replayed_as, coalesce(request ->> 'model', 'auto') as model, metadata, tags, controls, surface,
  echo, streams, fence, batch_id, batch_line, custom_id, answer, routing, error
from public.jobs
where tenant_id = %(tenant)s and (%(after)s::uuid is null or id < %(after)s)
  and (%(status)s::text is null or status = %(status)s)
  and (%(class)s::text is null or class = %(class)s)
  and (%(tag)s::text is null or tags @> array[%(tag)s::text])
order by id desc limit %(limit)s

-- name: finished
select id from public.jobs
where tenant_id = %(tenant)s and id = any (%(ids)s::uuid[]) and status not in ('queued', 'in_progress')
