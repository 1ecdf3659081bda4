-- name: park
with parked as (
  update public.jobs j
  set stage = 'lane', lease_until = null, calling = null, lane_model = %(model)s,
    hedge_at = now() + make_interval(secs => %(hedge)s),
    run_after = now() + make_interval(secs => least(%(linger)s, %(hedge)s))
  where j.tenant_id = %(tenant)s and j.id = %(id)s and j.fence = %(fence)s and j.status = 'in_progress'
    and j.stage = 'route'
  returning j.id, j.embedding
),
decided as (
  insert into public.decisions (tenant_id, job_id, at, task, strategy, policy_version, learned_version, asked, first_choice,
    score, confidence, propensity, chances, expected, cents, design, features, embedding)
  select %(tenant)s, r.job_id, r.at, r.task, r.strategy, r.policy_version, r.learned_version, r.asked, r.first_choice,
    r.score, r.confidence, r.propensity, r.chances, r.expected, r.cents, r.design, r.features, p.embedding
  from jsonb_populate_recordset(null::public.decisions, %(decisions)s::jsonb) r join parked p on p.id = r.job_id
  on conflict do nothing
)
select id from parked

-- name: due
select tenant_id, batch_id from private.due_lanes(%(limit)s)

-- name: recall
select private.recall_from_lanes(make_interval(secs => %(late)s), %(limit)s) as recalled

-- name: purge
select private.purge_lanes(make_interval(days => %(days)s), %(limit)s) as purged

-- name: waiting
select distinct lane_model as model from public.jobs
where tenant_id = %(tenant)s and status = 'in_progress' and stage = 'lane' and lane_id is null and run_after <= now()

-- name: form
with candidate as (
  select id, hedge_at, deadline, run_after, octet_length(request::text) + %(overhead)s as size
  from public.jobs
  where tenant_id = %(tenant)s and status = 'in_progress' and stage = 'lane' and lane_id is null
    and lane_model = %(model)s
  order by run_after, id limit %(lines)s
  for update skip locked
),
sized as (
  select id, hedge_at, deadline, sum(size) over (order by run_after, id) as total, size from candidate
),
chosen as (
  select * from sized where total <= greatest(%(bytes)s, size)
),
batch as (
  insert into public.provider_batches (id, tenant_id, provider, model, status, lines, deadline, hedge_at,
    provider_key_id)
  select %(id)s, %(tenant)s, %(provider)s, %(model)s, 'creating', count(*), min(deadline), min(hedge_at), (
      select k.id from public.provider_keys k
      where k.tenant_id = %(tenant)s and k.provider = %(provider)s and k.retired_at is null
    )
  from chosen having count(*) > 0
  returning lines
),
attached as (
  update public.jobs j set lane_id = %(id)s, run_after = null from chosen c
  where j.tenant_id = %(tenant)s and j.id = c.id
)
select lines from batch

-- name: give_back_unformed
select private.leave_lane(%(tenant)s, w.ids, %(reason)s, array_fill(%(message)s::text, array[cardinality(w.ids)])) as id
from (
  select coalesce(array_agg(id), '{}') as ids from public.jobs
  where tenant_id = %(tenant)s and status = 'in_progress' and stage = 'lane' and lane_id is null
    and lane_model = %(model)s and (not %(overdue)s or hedge_at <= now())
) w

-- name: claim
update public.provider_batches b
set fence = b.fence + 1, lease_until = now() + make_interval(secs => %(lease)s)
where b.tenant_id = %(tenant)s and b.id = %(id)s and b.ended_at is null and b.poll_at <= now()
  and (b.lease_until is null or b.lease_until < now())
returning b.id, b.fence, b.provider, b.model, b.remote_id, b.unsure, b.lost, b.created_at,
  b.cancelled_at is not null as cancelled, b.provider_key_id is not null as own_account, (
    select private.sealed(k) from public.provider_keys k
    where k.tenant_id = b.tenant_id and k.id = b.provider_key_id
  ) as own_key

-- name: renew
update public.provider_batches b set lease_until = now() + make_interval(secs => %(lease)s)
where b.tenant_id = %(tenant)s and b.id = %(id)s and b.fence = %(fence)s and b.ended_at is null
returning b.id

-- name: still_open
update public.provider_batches b set hedge_at = o.hedge_at
from (
  select min(hedge_at) as hedge_at, count(*) as jobs from public.jobs
  where tenant_id = %(tenant)s and lane_id = %(id)s and status = 'in_progress' and stage = 'lane'
) o
where b.tenant_id = %(tenant)s and b.id = %(id)s and b.fence = %(fence)s and b.ended_at is null
returning o.jobs

-- name: lines
select id, fence, request from public.jobs
where tenant_id = %(tenant)s and lane_id = %(id)s and status = 'in_progress' and stage = 'lane'
order by id

-- name: begin
update public.provider_batches b set unsure = true
where b.tenant_id = %(tenant)s and b.id = %(id)s and b.fence = %(fence)s and b.ended_at is null
returning b.id

-- name: lose
with settled as (
  update public.provider_batches b set unsure = false, lost = b.lost + 1
  where b.tenant_id = %(tenant)s and b.id = %(id)s and b.fence = %(fence)s and b.unsure
  returning b.id, b.provider, b.model, b.provider_key_id
)
insert into public.ledger_outbox (id, tenant_id, at, job_id, api_key_id, kind, outcome, provider, model, latency_ms,
  batch, error, key_source, concludes)
select gen_random_uuid(), %(tenant)s, now(), j.id, j.api_key_id, 'call', 'lost', s.provider, s.model, 0, true,
  'it is unknown whether the provider made the batch',
  case when s.provider_key_id is null then 'operator' else 'tenant' end, false
from settled s join public.jobs j on j.tenant_id = %(tenant)s and j.lane_id = s.id

-- name: started
update public.provider_batches b
set status = 'running', remote_id = %(remote_id)s, unsure = false, error = null, lease_until = null,
  poll_at = least(now() + interval '10 seconds', b.hedge_at)
where b.tenant_id = %(tenant)s and b.id = %(id)s and b.fence = %(fence)s and b.ended_at is null
returning b.id

-- name: postpone
update public.provider_batches b
set lease_until = null, error = %(error)s, unsure = %(unsure)s,
  poll_at = least(
    now() + greatest(
      make_interval(secs => %(pause)s),
      least(interval '5 minutes', greatest(interval '10 seconds', (now() - b.created_at) / 10))
    ),
    b.hedge_at
  )
where b.tenant_id = %(tenant)s and b.id = %(id)s and b.fence = %(fence)s and b.ended_at is null
returning b.id

-- name: cancelled
update public.provider_batches b set cancelled_at = now()
where b.tenant_id = %(tenant)s and b.id = %(id)s and b.fence = %(fence)s and b.ended_at is null
returning b.id

-- name: end
with ended as (
  update public.provider_batches b
  set status = %(status)s, error = %(error)s, ended_at = now(), lease_until = null, unsure = false
  where b.tenant_id = %(tenant)s and b.id = %(id)s and b.fence = %(fence)s and b.ended_at is null
  returning b.id, b.provider_key_id
),
forgotten as (  -- a replaced key goes with the last batch that was made with it
  delete from public.provider_keys k using ended e
  where k.tenant_id = %(tenant)s and k.id = e.provider_key_id and k.retired_at is not null
    and not exists (
      select from public.provider_batches o
      where o.tenant_id = %(tenant)s and o.provider_key_id = k.id and o.ended_at is null and o.id <> e.id
    )
)
select id from ended

-- name: asked
select j.id, i.fence, j.traceparent, j.request, j.cache_mode, j.fingerprint, j.api_key_id, j.attempts, j.spent_cents, j.controls,
  j.assigned, t.baseline_model, t.fallback, t.strategy, t.quality_target, t.draw_salt, k.models,
  extensions.halfvec_send(j.embedding) as vector, d.strategy as decided_by, d.policy_version, d.propensity,
  (select coalesce(l.pinned, l.version) from public.learners l where l.tenant_id = j.tenant_id) as learned_version,
  j.status = 'in_progress' and j.stage = 'lane' and j.fence = i.fence as open
from unnest(%(ids)s::uuid[], %(fences)s::bigint[]) as i (id, fence)
join public.jobs j on j.tenant_id = %(tenant)s and j.id = i.id and j.lane_id = %(batch)s
join public.tenants t on t.id = j.tenant_id
left join public.api_keys k on k.tenant_id = j.tenant_id and k.id = j.api_key_id
left join public.decisions d on d.tenant_id = j.tenant_id and d.job_id = j.id

-- name: give_back
select private.leave_lane(%(tenant)s, w.ids, %(reason)s, array_fill(%(message)s::text, array[cardinality(w.ids)])) as id
from (
  select coalesce(array_agg(id), '{}') as ids from public.jobs
  where tenant_id = %(tenant)s and lane_id = %(batch)s and status = 'in_progress' and stage = 'lane'
    and (not %(overdue)s or hedge_at <= now())
) w

-- name: give_back_lines
with given as (
  select private.leave_lane(%(tenant)s, %(ids)s::uuid[], %(reason)s, %(messages)s::text[]) as id
),
event as (
  insert into public.ledger_outbox
  select e.* from jsonb_populate_recordset(null::public.ledger_outbox, %(events)s::jsonb) e
  join given on given.id = e.job_id
  on conflict do nothing
)
select id from given
