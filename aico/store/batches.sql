-- name: create
with input as (
  select f.id from public.files f
  where f.tenant_id = %(tenant)s and f.id = %(file)s and f.complete and f.purpose = 'batch' and f.expires_at > now()
  for key share
),
kept as (  -- as in jobs.sql: a key that is taken keeps its batch out
  insert into public.idempotency_keys as k (tenant_id, key, request_hash, job_id, expires_at)
  select %(tenant)s, %(key)s, %(hash)s, %(id)s, now() + make_interval(secs => %(key_ttl)s)
  from input where %(key)s::text is not null
  on conflict (tenant_id, key) do update
    set request_hash = excluded.request_hash, job_id = excluded.job_id, created_at = now(),
      expires_at = excluded.expires_at
    where k.expires_at < now()
  returning job_id
)
insert into public.batches (id, tenant_id, api_key_id, status, endpoint, completion_window, deadline,
  output_ttl_seconds, input_file_id, metadata)
select %(id)s, %(tenant)s, %(api_key)s, 'validating', %(endpoint)s, %(window)s,
  now() + make_interval(secs => %(seconds)s), %(output_ttl)s, input.id, %(metadata)s
from input where %(key)s::text is null or exists (select from kept)
returning id

-- name: get
select id, status, endpoint, completion_window, created_at, deadline, input_file_id, output_file_id, error_file_id,
  errors, in_progress_at, cancelling_at, finalizing_at, finished_at, total, completed, failed, metadata,
  input_tokens, cached_tokens, output_tokens, reasoning_tokens
from public.batches where tenant_id = %(tenant)s and id = %(id)s

-- name: page
select id, status, endpoint, completion_window, created_at, deadline, input_file_id, output_file_id, error_file_id,
  errors, in_progress_at, cancelling_at, finalizing_at, finished_at, total, completed, failed, metadata,
  input_tokens, cached_tokens, output_tokens, reasoning_tokens
from public.batches
where tenant_id = %(tenant)s and (%(after)s::uuid is null or id < %(after)s)
order by id desc limit %(limit)s

-- name: cancel
update public.batches
set status = 'cancelling', ending = 'cancelled', cancelling_at = now(), step_at = now()
where tenant_id = %(tenant)s and id = %(id)s and status in ('validating', 'in_progress')
returning id

-- name: due
select tenant_id, batch_id from private.due_batches(%(limit)s)

-- name: purge
select private.purge_batches(make_interval(days => %(days)s), %(limit)s) as purged

-- name: claim
with held as (
  update public.batches b
  set fence = b.fence + 1, lease_until = now() + make_interval(secs => %(lease)s)
  where b.tenant_id = %(tenant)s and b.id = %(id)s and b.finished_at is null and b.step_at <= now()
    and (b.lease_until is null or b.lease_until < now())
  returning b.*
)
select h.id, h.fence, h.status, h.endpoint, h.api_key_id, h.deadline, h.deadline <= now() as overdue, h.input_file_id,
  f.bytes as input_bytes, h.read_bytes, h.read_lines, h.read_at is not null as read,
  h.in_progress_at is not null as valid, h.ending, h.output_file_id, h.error_file_id, h.written_line, t.cache_mode,
  t.cache_personal, t.pii, private.programme_of(h.tenant_id) as programme, k.models,
  array(
    select p.provider from public.provider_keys p where p.tenant_id = h.tenant_id and p.retired_at is null
  ) as own_providers
from held h
join public.tenants t on t.id = h.tenant_id
left join public.api_keys k on k.tenant_id = h.tenant_id and k.id = h.api_key_id
left join public.files f on f.tenant_id = h.tenant_id and f.id = h.input_file_id

-- name: renew
update public.batches set lease_until = now() + make_interval(secs => %(lease)s)
where tenant_id = %(tenant)s and id = %(id)s and fence = %(fence)s and finished_at is null
returning id

-- name: accept
update public.batches set status = 'in_progress', in_progress_at = now(), total = %(total)s
where tenant_id = %(tenant)s and id = %(id)s and fence = %(fence)s and status = 'validating'
returning id

-- name: refuse
with done as (
  update public.batches
  set status = 'failed', errors = %(errors)s, finished_at = now(), lease_until = null
  where tenant_id = %(tenant)s and id = %(id)s and fence = %(fence)s and status = 'validating'
  returning tenant_id, id, status, input_file_id
),
spent as (  -- it holds what its lines said before personal data was replaced
  update public.files f set expires_at = now()
  from done d join public.tenants t on t.id = d.tenant_id
  where t.pii = 'redact' and f.tenant_id = d.tenant_id and f.id = d.input_file_id
)
select delivery from done d, lateral private.announce_batch(d.tenant_id, d.id, d.status) delivery

-- name: advance
update public.batches b
set read_bytes = %(read_bytes)s, read_lines = %(read_lines)s, read_at = case when %(last)s then now() end
where tenant_id = %(tenant)s and id = %(id)s and fence = %(fence)s and finished_at is null and read_at is null
returning b.status = 'in_progress' and b.deadline > now() as going

-- name: note_faults
insert into public.batch_faults (tenant_id, batch_id, line, custom_id, status, error)
select b.tenant_id, b.id, f.line, f.custom_id, f.status, f.error
from unnest(%(lines)s::integer[], %(custom_ids)s::text[], %(statuses)s::smallint[], %(errors)s::jsonb[])
  as f (line, custom_id, status, error)
join public.batches b on b.tenant_id = %(tenant)s and b.id = %(id)s and b.fence = %(fence)s

-- name: look
with line as (
  select count(*) as lines,
    count(*) filter (where j.status in ('queued', 'in_progress')) as open,
    count(*) filter (where j.status in ('completed', 'incomplete')) as completed,
    coalesce(bool_or(j.status = 'expired' and j.deadline >= %(deadline)s), false) as expired
  from public.jobs j where j.tenant_id = %(tenant)s and j.batch_id = %(id)s
),
fault as (
  select count(*) as lines from public.batch_faults where tenant_id = %(tenant)s and batch_id = %(id)s
)
update public.batches b
set completed = line.completed, failed = line.lines - line.open - line.completed + fault.lines,
  moved_at = case
    when (b.completed, b.failed) = (line.completed, line.lines - line.open - line.completed + fault.lines)
    then b.moved_at else now() end
from line, fault
where b.tenant_id = %(tenant)s and b.id = %(id)s and b.fence = %(fence)s and b.finished_at is null
returning line.open, line.expired

-- name: stop_lines
with open as (
  select j.tenant_id, j.id from public.jobs j
  where j.tenant_id = %(tenant)s and j.batch_id = %(id)s and j.status in ('queued', 'in_progress')
    and exists (
      select from public.batches b where b.tenant_id = %(tenant)s and b.id = %(id)s and b.fence = %(fence)s
    )
  limit %(limit)s
  for update skip locked
)
update public.jobs j
set status = %(status)s, error = %(error)s, finished_at = now(), lease_until = null, run_after = null, calling = null,
  embedding = null, fence = j.fence + 1
from open o where j.tenant_id = o.tenant_id and j.id = o.id
returning j.id

-- name: postpone
update public.batches b
set lease_until = null, step_at = case
  when b.status = %(status)s then now() + least(interval '15 seconds',
    greatest(make_interval(secs => %(pause)s), (now() - b.moved_at) / 4))
  else now() end
where b.tenant_id = %(tenant)s and b.id = %(id)s and b.fence = %(fence)s and b.finished_at is null
returning b.id

-- name: release
update public.batches set lease_until = null
where tenant_id = %(tenant)s and id = %(id)s and fence = %(fence)s and finished_at is null

-- name: settle
with held as (
  update public.batches b
  set status = case when b.status = 'cancelling' then b.status else 'finalizing' end,
    ending = coalesce(b.ending, %(ending)s), finalizing_at = now(), output_file_id = %(output)s, error_file_id = %(error)s
  where b.tenant_id = %(tenant)s and b.id = %(id)s and b.fence = %(fence)s and b.finished_at is null
    and b.output_file_id is null and b.status in ('in_progress', 'cancelling')
  returning b.*
)
insert into public.files (id, tenant_id, filename, purpose, expires_at)
select f.id, h.tenant_id, 'batch_' || replace(h.id::text, '-', '') || f.suffix, 'batch_output',
  now() + make_interval(secs => h.output_ttl_seconds)
from held h, lateral (values (h.output_file_id, '_output.jsonl'), (h.error_file_id, '_error.jsonl')) as f (id, suffix)
returning id

-- name: results
with page as (
  select u.line, u.size from (
    (
      select j.batch_line as line, coalesce(pg_column_size(j.answer), 0) as size from public.jobs j
      where j.tenant_id = %(tenant)s and j.batch_id = %(id)s and j.batch_line > %(after)s
      order by j.batch_line limit %(limit)s
    )
    union all
    (
      select f.line, 0 from public.batch_faults f
      where f.tenant_id = %(tenant)s and f.batch_id = %(id)s and f.line > %(after)s
      order by f.line limit %(limit)s
    )
  ) u
  order by u.line limit %(limit)s
),
chosen as (
  select s.line from (select p.line, p.size, sum(p.size) over (order by p.line) as total from page p) s
  where s.total - s.size < %(bytes)s
)
select c.line, f.custom_id as fault_custom_id, f.status as fault_status, f.error as fault,
  j.id, j.status, j.stage, j.class, j.created_at, j.deadline, j.finished_at, j.bell_at is not null as admitted,
  j.run_after, j.retries, j.history, j.replay_of, j.replayed_as, coalesce(j.request ->> 'model', 'auto') as model,
  j.metadata, j.tags, j.controls, j.surface, j.echo, j.streams, j.fence, j.batch_id, j.batch_line, j.custom_id,
  j.answer, j.routing, j.error
from chosen c
left join public.jobs j on j.tenant_id = %(tenant)s and j.batch_id = %(id)s and j.batch_line = c.line
left join public.batch_faults f on f.tenant_id = %(tenant)s and f.batch_id = %(id)s and f.line = c.line
order by c.line

-- name: write
with held as (
  update public.batches b
  set written_line = %(line)s, input_tokens = b.input_tokens + %(input)s, cached_tokens = b.cached_tokens + %(cached)s,
    output_tokens = b.output_tokens + %(output)s, reasoning_tokens = b.reasoning_tokens + %(reasoning)s
  where b.tenant_id = %(tenant)s and b.id = %(id)s and b.fence = %(fence)s and b.finished_at is null
    and b.written_line = %(after)s
  returning b.tenant_id
),
piece as (
  select p.file, p.data, sum(octet_length(p.data)) over (partition by p.file order by p.number) as until
  from held, unnest(%(files)s::uuid[], %(pieces)s::bytea[]) with ordinality as p (file, data, number)
),
chunk as (
  insert into public.file_chunks (tenant_id, file_id, position, data)
  select f.tenant_id, f.id, f.bytes + p.until - octet_length(p.data), p.data
  from piece p join public.files f on f.tenant_id = %(tenant)s and f.id = p.file
),
grown as (
  update public.files f set bytes = f.bytes + p.size
  from (select file, max(until) as size from piece group by file) p
  where f.tenant_id = %(tenant)s and f.id = p.file
)
select true as held from held

-- name: end
with done as (
  update public.batches b
  set status = b.ending, finished_at = now(), lease_until = null,
    output_file_id = (
      select f.id from public.files f where f.tenant_id = b.tenant_id and f.id = b.output_file_id and f.bytes > 0),
    error_file_id = (
      select f.id from public.files f where f.tenant_id = b.tenant_id and f.id = b.error_file_id and f.bytes > 0)
  where b.tenant_id = %(tenant)s and b.id = %(id)s and b.fence = %(fence)s and b.finished_at is null
    and b.ending is not null
  returning b.tenant_id, b.id, b.status, b.input_file_id
),
spent as (  -- as in `refuse`
  update public.files f set expires_at = now()
  from done d join public.tenants t on t.id = d.tenant_id
  where t.pii = 'redact' and f.tenant_id = d.tenant_id and f.id = d.input_file_id
),
whole as (
  update public.files f set complete = true
  from done d where f.tenant_id = d.tenant_id and f.id = any (%(files)s::uuid[]) and f.bytes > 0
),
empty as (
  delete from public.files f
  using done d where f.tenant_id = d.tenant_id and f.id = any (%(files)s::uuid[]) and f.bytes = 0
)
select delivery from done d, lateral private.announce_batch(d.tenant_id, d.id, d.status) delivery
