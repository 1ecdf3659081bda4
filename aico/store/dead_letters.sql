-- name: dead
select id, status, stage, class, created_at, deadline, finished_at, bell_at is not null as admitted, run_after, retries,
  history, replay_of, replayed_as, coalesce(request ->> 'model', 'auto') as model, metadata, tags, controls, surface,
  echo, streams, fence, batch_id, batch_line, custom_id, answer, routing, error
from public.jobs
where tenant_id = %(tenant)s and (%(after)s::uuid is null or id < %(after)s)
  and status in ('failed', 'expired') and replayed_as is null
  and (%(status)s::text is null or status = %(status)s)
  and (%(class)s::text is null or class = %(class)s)
  and (%(error_code)s::text is null or error ->> 'code' = %(error_code)s)
order by id desc limit %(limit)s

-- name: replay
with chosen as (
  select c.id, row_number() over (order by c.id) as number
  from (
    select j.id from public.jobs j
    where j.tenant_id = %(tenant)s and j.status in ('failed', 'expired') and j.replayed_as is null
      and (%(ids)s::uuid[] is null or j.id = any (%(ids)s::uuid[]))
      and (%(status)s::text is null or j.status = %(status)s)
      and (%(class)s::text is null or j.class = %(class)s)
      and (%(error_code)s::text is null or j.error ->> 'code' = %(error_code)s)
      and (%(since)s::timestamptz is null or j.created_at >= %(since)s)
      and (%(until)s::timestamptz is null or j.created_at < %(until)s)
      and j.metadata @> %(metadata)s::jsonb
    order by j.id limit cardinality(%(new_ids)s::uuid[])
    for update skip locked
  ) c
),
pair as (
  select c.id as old_id, n.id as new_id, number
  from chosen c join unnest(%(new_ids)s::uuid[]) with ordinality as n (id, number) using (number)
),
verdict as (  -- as in jobs.sql
  select v.job, v.reserved, v.refusal
  from (select from public.quotas q where q.tenant_id = %(tenant)s limit 1) limited
  cross join lateral private.reserve(%(tenant)s, (
    select json_agg(json_build_object('number', p.number, 'id', p.new_id, 'tokens', j.expected_tokens,
      'cents', j.expected_cents, 'scopes', private.scopes_of(%(api_key_id)s::uuid, j.tags)))
    from pair p join public.jobs j on j.tenant_id = %(tenant)s and j.id = p.old_id
  )) v
),
turn as (
  select p.old_id, p.new_id, v.reserved, v.refusal from pair p left join verdict v on v.job = p.new_id
),
copy as (
  insert into public.jobs (id, tenant_id, api_key_id, replay_of, status, stage, class, cache_mode, request,
    namespace, fingerprint, metadata, deadline, deadline_given, max_retries, surface, echo, controls, tags,
    expected_tokens, expected_cents, reserved)
  select p.new_id, j.tenant_id, %(api_key_id)s::uuid, j.id, 'queued',
    case when j.cache_mode in ('semantic', 'refresh') and private.in_plain_words(j.request) then 'embed' else 'route' end,
    j.class, j.cache_mode, j.request, j.namespace, j.fingerprint, j.metadata, now() + (j.deadline - j.created_at),
    j.deadline_given, j.max_retries, j.surface, j.echo, j.controls, j.tags, j.expected_tokens, j.expected_cents,
    p.reserved
  from public.jobs j join turn p on p.old_id = j.id
  where j.tenant_id = %(tenant)s and p.refusal is null
),
marked as (
  update public.jobs j set replayed_as = p.new_id from turn p
  where j.tenant_id = %(tenant)s and j.id = p.old_id and p.refusal is null
)
select old_id, new_id, refusal from turn order by old_id
