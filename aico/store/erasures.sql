-- name: pick
with walked as (
  select j.id, j.status, j.fence, j.tags, j.created_at, j.batch_id, j.namespace from public.jobs j
  where j.tenant_id = %(tenant)s and (%(after)s = '' or j.id > nullif(%(after)s, '')::uuid)
    and (%(ids)s::uuid[] is null or j.id = any (%(ids)s::uuid[])) and j.created_at <= %(until)s
  order by j.id limit %(limit)s
)
select w.id, w.status, w.fence, w.batch_id, w.namespace,
  (%(tag)s::text is null or w.tags @> array[%(tag)s::text]) and (%(before)s::timestamptz is null or w.created_at < %(before)s)
    as chosen,
  coalesce(b.finished_at is null and b.id is not null, false) as batch_open
from walked w left join public.batches b on b.tenant_id = %(tenant)s and b.id = w.batch_id
order by w.id

-- name: copies
select id, status, fence from public.jobs where tenant_id = %(tenant)s and served_from = any (%(jobs)s::uuid[])

-- name: stop_batches
update public.batches
set status = 'cancelling', ending = 'cancelled', cancelling_at = coalesce(cancelling_at, now()), step_at = now()
where tenant_id = %(tenant)s and id = any (%(batches)s::uuid[]) and status in ('validating', 'in_progress')
returning id

-- name: end_batches
with held as (
  select id from public.data_requests
  where tenant_id = %(tenant)s and id = %(id)s and fence = %(fence)s and finished_at is null for update
)
update public.batches b
set status = 'cancelled', ending = 'cancelled', finished_at = now(), lease_until = null, fence = b.fence + 1
where b.tenant_id = %(tenant)s and b.finished_at is null and exists (select from held)

-- name: stop_learner
update public.learners l
set version = l.version + 1, pinned = null, fence = l.fence + 1, lease_until = null, clock = l.clock + 1000000
where l.tenant_id = %(tenant)s and exists (
  select from public.data_requests
  where tenant_id = %(tenant)s and id = %(id)s and fence = %(fence)s and finished_at is null for update
)

-- name: of_jobs
with held as (
  select id from public.data_requests
  where tenant_id = %(tenant)s and id = %(id)s and fence = %(fence)s and finished_at is null for update
),
gone as (
  delete from public.{noun} t
  where t.tenant_id = %(tenant)s and t.{column} = any (%(jobs)s::uuid[]) and exists (select from held)
  returning 1
)
update public.data_requests d set counts = private.counted(d.counts, '{noun}', (select count(*) from gone))
from held where d.tenant_id = %(tenant)s and d.id = held.id

-- name: labels_of_jobs
update public.cache_namespaces set label = ''
where tenant_id = %(tenant)s and namespace = any (%(namespaces)s::bytea[]) and label <> ''

-- name: files_of_batches
with held as (
  select id from public.data_requests
  where tenant_id = %(tenant)s and id = %(id)s and fence = %(fence)s and finished_at is null for update
),
gone as (
  delete from public.files f
  using public.batches b
  where b.tenant_id = %(tenant)s and b.id = any (%(batches)s::uuid[]) and f.tenant_id = b.tenant_id
    and f.id in (b.input_file_id, b.output_file_id, b.error_file_id) and not private.in_use(f.tenant_id, f.id)
    and exists (select from held)
  returning 1
),
faults as (
  delete from public.batch_faults t
  where t.tenant_id = %(tenant)s and t.batch_id = any (%(batches)s::uuid[]) and exists (select from held)
  returning 1
)
update public.data_requests d set counts = private.counted(
  private.counted(d.counts, 'files', (select count(*) from gone)), 'batch_faults', (select count(*) from faults))
from held where d.tenant_id = %(tenant)s and d.id = held.id

-- name: outbox_of_jobs
update public.ledger_outbox set usage_raw = null, error = null, assignment_unit = null
where tenant_id = %(tenant)s and job_id = any (%(jobs)s::uuid[])

-- name: ledger_of_jobs
with held as (
  select id from public.data_requests
  where tenant_id = %(tenant)s and id = %(id)s and fence = %(fence)s and finished_at is null for update
)
update public.data_requests d
set counts = private.counted(d.counts, 'ledger_attempts', private.erase_ledger_of(%(tenant)s, %(jobs)s::uuid[]))
from held where d.tenant_id = %(tenant)s and d.id = held.id

-- name: outbox
update public.ledger_outbox set usage_raw = null, error = null, assignment_unit = null where tenant_id = %(tenant)s

-- name: ledger_page
with held as (
  select id from public.data_requests
  where tenant_id = %(tenant)s and id = %(id)s and fence = %(fence)s and finished_at is null for update
),
bare as (
  select e.erased, e.reached from held, lateral private.erase_ledger_after(%(tenant)s, %(after)s, %(limit)s) e
),
noted as (
  update public.data_requests d
  set counts = private.counted(d.counts, 'ledger_attempts', bare.erased), after = coalesce(bare.reached, d.after)
  from held, bare where d.tenant_id = %(tenant)s and d.id = held.id
)
select reached from bare

-- name: rows
with held as (
  select id from public.data_requests
  where tenant_id = %(tenant)s and id = %(id)s and fence = %(fence)s and finished_at is null for update
),
gone as (
  delete from public.{noun} t
  using (
    select {key} from public.{noun} o where o.tenant_id = %(tenant)s and {condition} order by {key}
    limit %(limit)s for update
  ) old
  where t.tenant_id = %(tenant)s and ({of_t}) = ({of_old}) and exists (select from held)
  returning t.*
),
noted as (
  update public.data_requests d set counts = private.counted(d.counts, '{noun}', (select count(*) from gone))
  from held where d.tenant_id = %(tenant)s and d.id = held.id
)
select {shown} from gone

-- name: words_of_lanes
update public.provider_batches set error = null where tenant_id = %(tenant)s and error is not null

-- name: realtime
with held as (
  select id from public.data_requests
  where tenant_id = %(tenant)s and id = %(id)s and fence = %(fence)s and finished_at is null for update
)
update public.data_requests d
set counts = private.counted(d.counts, 'realtime.messages', private.erase_realtime(%(tenant)s))
from held where d.tenant_id = %(tenant)s and d.id = held.id

-- name: reach
update public.data_requests set step = %(step)s, after = %(after)s
where tenant_id = %(tenant)s and id = %(id)s and fence = %(fence)s and finished_at is null
returning id

-- name: counts
select counts, requested_by from public.data_requests where tenant_id = %(tenant)s and id = %(id)s

-- name: complete
with ended as (
  update public.data_requests
  set status = 'completed', finished_at = now(), lease_until = null, sha256 = %(sha256)s
  where tenant_id = %(tenant)s and id = %(id)s and fence = %(fence)s and finished_at is null
  returning *
),
audited as (
  insert into public.audit_log (tenant_id, actor, action, subject, detail)
  select tenant_id, requested_by, 'erasure.completed', id::text,
    jsonb_build_object('counts', counts, 'sha256', sha256) from ended
)
select id from ended
