-- name: claim
with turn as materialized (  -- no row where it follows another job from now on
  select t.* from private.turn(%(tenant)s, %(id)s) t
),
prior as (
  select id, status, calling, reserved_model, bell_at, flight is not null as flew from public.jobs
  where tenant_id = %(tenant)s and id = %(id)s and stage = 'route' and exists (select from turn)
    and (status = 'queued' and bell_at is not null and (run_after is null or run_after <= now())
      or status = 'in_progress' and lease_until < now())
  for update skip locked
)
update public.jobs j
set status = 'in_progress', fence = j.fence + 1, run_after = null, reserved_model = null, calling = null,
  flight = turn.flight, lease_until = now() + make_interval(secs => %(lease)s),
  losses = j.losses + (prior.status = 'in_progress')::integer,
  history = case when prior.status = 'in_progress'
    then private.with_history(j.history, 'worker_lost', 'its worker stopped renewing its lease', null)
    else j.history end
from prior, public.tenants t, turn
where j.tenant_id = %(tenant)s and j.id = prior.id and t.id = j.tenant_id
returning j.id, j.fence, j.request, j.class, j.cache_mode, j.api_key_id, j.deadline, j.deadline_given, j.retries,
  j.max_retries, j.attempts, j.spent_cents, j.lane_model is null as lane_untried, prior.reserved_model, prior.calling,
  t.baseline_model, t.fallback, t.strategy, t.quality_target, t.draw_salt, j.controls, j.assigned, j.streams,
  extensions.halfvec_send(j.embedding) as vector,
  j.traceparent, prior.bell_at as rung_at, prior.status = 'in_progress' as taken_over, prior.flew, turn.entry, turn.answer, turn.routing,
  t.implicit_outcomes, t.shadow_rate, t.judge_model, t.judge_daily_cents, t.compare_with_own_keys,
  j.near_probability, extract(epoch from j.deadline - now())::real as seconds_left,
  (select k.models from public.api_keys k where k.tenant_id = j.tenant_id and k.id = j.api_key_id) as models,
  (select coalesce(l.pinned, l.version) from public.learners l where l.tenant_id = j.tenant_id) as learned_version,
  (
    select jsonb_agg(private.sealed(k)) from public.provider_keys k
    where k.tenant_id = j.tenant_id and k.retired_at is null
  ) as provider_keys

-- name: renew
update public.jobs j set lease_until = now() + make_interval(secs => %(lease)s)
from unnest(%(ids)s::uuid[], %(fences)s::bigint[]) as held (id, fence)
where j.tenant_id = any (%(tenants)s::uuid[]) and j.id = held.id and j.fence = held.fence and j.status = 'in_progress'
  and j.stage = 'route'
returning j.id, j.fence

-- name: note
with event as (
  insert into public.ledger_outbox
  select * from jsonb_populate_recordset(null::public.ledger_outbox, %(events)s::jsonb)
  on conflict do nothing
)
update public.jobs j set calling = c.calling
from unnest(%(ids)s::uuid[], %(fences)s::bigint[], %(calls)s::jsonb[]) as c (id, fence, calling)
where j.tenant_id = any (%(tenants)s::uuid[]) and j.id = c.id and j.fence = c.fence and j.status = 'in_progress'

-- name: lose
with event as (
  insert into public.ledger_outbox
  select * from jsonb_populate_recordset(null::public.ledger_outbox, %(events)s::jsonb)
  on conflict do nothing
)
update public.jobs set attempts = attempts + 1, spent_cents = spent_cents + coalesce(%(cents)s::numeric, 0)
where tenant_id = %(tenant)s and id = %(id)s and fence = %(fence)s and status = 'in_progress'

-- name: put_back
with held as (
  update public.jobs j
  set status = 'queued', lease_until = null, calling = null, reserved_model = %(reserved_model)s,
    run_after = case when %(pause)s > 0 then now() + make_interval(secs => %(pause)s) end, bell_at = now(),
    retries = j.retries + %(counts)s::boolean::integer, attempts = j.attempts + %(attempts)s,
    spent_cents = j.spent_cents + %(spent)s,
    history = private.with_history(j.history, %(reason)s, %(message)s, case when %(pause)s > 0
      then now() + make_interval(secs => %(pause)s) end)
  where j.tenant_id = %(tenant)s and j.id = %(id)s and j.fence = %(fence)s and j.status = 'in_progress'
    and j.stage = 'route'
  returning j.id, j.class, j.run_after
),
event as (
  insert into public.ledger_outbox
  select * from jsonb_populate_recordset(null::public.ledger_outbox, %(events)s::jsonb)
  on conflict do nothing
)
select id, class, run_after from held

-- name: finish
with ending as (
  select * from unnest(
    %(ids)s::uuid[], %(fences)s::bigint[], %(statuses)s::text[], %(answers)s::jsonb[], %(routings)s::jsonb[],
    %(errors)s::jsonb[], %(keeps)s::boolean[], %(entries)s::uuid[], %(compares)s::boolean[], %(rivals)s::text[],
    %(rival_answers)s::text[], %(costs)s::numeric[], %(lifetimes)s::real[]
  ) as f (id, fence, status, answer, routing, error, keep, entry, compare, rival, rival_answer, cost, lifetime)
),
kept as materialized (  -- what is served: an answer that was erased meanwhile is not, and its job is taken on again
  select e.id, e.job_id
  from (select distinct f.entry from ending f where f.entry is not null) f
  cross join lateral (  -- each by its key, whatever statistics say
    select k.id, k.job_id from public.cache_entries k where k.tenant_id = %(tenant)s and k.id = f.entry for key share
  ) e
),
prior as (
  select j.id, j.namespace, j.fingerprint, j.embedding, j.embedding_model, j.tags, j.near_entry, j.flight,
    case when f.keep and j.embedding is not null then j.request #>> '{messages,-1,content}' end as question,
    case when f.keep and j.request #>> '{messages,0,role}' = 'system'
      then left(j.request #>> '{messages,0,content}', 120) else '' end as label
  from public.jobs j join ending f on f.id = j.id and f.fence = j.fence
  where j.tenant_id = %(tenant)s and j.status in ('queued', 'in_progress')
    and j.id = any (%(ids)s::uuid[]) and (f.entry is null or f.entry in (select id from kept))
  for update of j
),
landed as (  -- who waited for one of these: has its answer too, or is to lead
  select p.id as leader, l.*
  from (select * from prior where flight is not null order by id) p  -- all are locked before the first one lands
  join ending f on f.id = p.id
  cross join lateral private.land(%(tenant)s, p.id, p.flight,
    case when f.status = 'completed' and (f.keep or f.entry is not null) then f.answer end, f.routing,
    case when f.entry is null then f.cost else 0 end, f.entry) l
),
given as (  -- what others bear of its cost
  select leader, sum(share) as cents from landed where share > 0 group by leader
),
done as (
  update public.jobs j
  set status = f.status, answer = f.answer, routing = case when g.leader is null then f.routing
    else f.routing || jsonb_build_object('cost_cents', (f.cost - g.cents)::text) end, error = f.error, finished_at = now(),
    lease_until = null, calling = null, embedding = null, near_entry = coalesce(f.entry, j.near_entry),
    served_from = (select k.job_id from kept k where k.id = f.entry)
  from ending f join prior p on p.id = f.id left join given g on g.leader = f.id
  where j.tenant_id = %(tenant)s and j.id = f.id
  returning j.id, j.status
),
entry as (  -- answers in the same words are of one group
  insert into public.cache_entries as e (id, tenant_id, namespace, fingerprint, job_id, answer, routing, question, tags,
    answer_group, compared, expires_at)
  select distinct on (p.fingerprint) gen_random_uuid(), %(tenant)s, p.namespace, p.fingerprint, p.id, f.answer, f.routing,
    p.question, p.tags, md5(f.answer ->> 'text')::uuid, p.near_entry is null,
    now() + least(make_interval(secs => f.lifetime), make_interval(days => r.cache_days),
      coalesce(make_interval(secs => n.ttl_seconds), make_interval(days => r.cache_days), make_interval(secs => %(ttl)s)))
  from ending f join prior p on p.id = f.id
  left join public.retention r on r.tenant_id = %(tenant)s
  left join public.cache_namespaces n on n.tenant_id = %(tenant)s and n.namespace = p.namespace
  where f.keep
  order by p.fingerprint, p.id -- of equal questions in one call one answer is kept
  on conflict (tenant_id, fingerprint) do update
    set job_id = excluded.job_id, asked_by = null, answer = excluded.answer, routing = excluded.routing,
      question = excluded.question, tags = excluded.tags, answer_group = excluded.answer_group,
      compared = excluded.compared, good = 0, bad = 0, own_verdict = null, created_at = now(),
      expires_at = excluded.expires_at
  returning id, job_id, expires_at
),
named as (
  insert into public.cache_namespaces (tenant_id, namespace, label)
  select distinct on (p.namespace) %(tenant)s, p.namespace, p.label
  from entry e join prior p on p.id = e.job_id
  order by p.namespace
  on conflict do nothing
),
renamed as (  -- what was made by its lifetime or its verdicts, or whose name was erased
  update public.cache_namespaces n set label = p.label
  from entry e join prior p on p.id = e.job_id
  where n.tenant_id = %(tenant)s and n.namespace = p.namespace and n.label = '' and p.label <> ''
),
vector as (
  insert into public.cache_vectors (tenant_id, namespace, model, entry_id, embedding, expires_at)
  select %(tenant)s, p.namespace, p.embedding_model, e.id, p.embedding, e.expires_at
  from entry e join prior p on p.id = e.job_id
  where p.embedding is not null
  on conflict (tenant_id, entry_id) do update
    set model = excluded.model, embedding = excluded.embedding, expires_at = excluded.expires_at, created_at = now()
),
event as (  -- what is said of a job as a whole counts once: with the ending that stands
  insert into public.ledger_outbox as o
  select r.*
  from jsonb_array_elements(%(events)s::jsonb) e (attempt)
  left join given g on g.leader = (e.attempt ->> 'job_id')::uuid and e.attempt ? 'baseline_model'
  cross join lateral jsonb_populate_record(null::public.ledger_outbox,
    case when (e.attempt ->> 'job_id')::uuid in (select id from done) then e.attempt
      || case when g.leader is null then '{}' else jsonb_build_object('shared_cents', -g.cents,
        'job_cents', (e.attempt ->> 'job_cents')::numeric - g.cents) end
      else e.attempt - array['baseline_model', 'baseline_cost_cents', 'arms', 'job_cents'] || '{"concludes": false}' end) r
  on conflict (tenant_id, job_id, id) do update set  -- noted as a failure, before anybody knew how the job would end
    concludes = o.concludes or excluded.concludes, strategy = excluded.strategy, propensity = excluded.propensity,
    assignment_unit = excluded.assignment_unit, policy_version = excluded.policy_version,
    baseline_model = coalesce(excluded.baseline_model, o.baseline_model),
    baseline_cost_cents = coalesce(excluded.baseline_cost_cents, o.baseline_cost_cents),
    arms = coalesce(excluded.arms, o.arms), job_cents = coalesce(excluded.job_cents, o.job_cents)
),
decided as (  -- what was decided when the job was parked stands
  insert into public.decisions as d (tenant_id, job_id, at, task, strategy, policy_version, learned_version, asked,
    first_choice, model, score, confidence, propensity, chances, expected, cents, cost_cents, design, features, embedding,
    draft_model, draft_passed, draft_loss, draft_design, draft_features)
  select %(tenant)s, r.job_id, r.at, r.task, r.strategy, r.policy_version, r.learned_version, r.asked, r.first_choice,
    r.model, r.score, r.confidence, r.propensity, r.chances, r.expected, r.cents, r.cost_cents, r.design, r.features,
    p.embedding, r.draft_model, r.draft_passed, r.draft_loss, r.draft_design, r.draft_features
  from jsonb_populate_recordset(null::public.decisions, %(decisions)s::jsonb) r join prior p on p.id = r.job_id
  on conflict (tenant_id, job_id) do update set model = excluded.model, cost_cents = excluded.cost_cents,
    draft_model = excluded.draft_model, draft_passed = excluded.draft_passed, draft_loss = excluded.draft_loss,
    draft_design = excluded.draft_design, draft_features = excluded.draft_features
),
pair as (
  insert into public.shadow_pairs (tenant_id, job_id, served, rival, answer)
  select %(tenant)s, d.id, f.routing ->> 'model', f.rival, f.rival_answer from done d join ending f on f.id = d.id where f.compare
),
drawn as (
  insert into public.cache_checks (tenant_id, job_id, namespace, entry_id, kind, chance, similarity, score, features,
    features_version, allowed, fingerprint, embedding, embedding_model)
  select %(tenant)s, d.id, p.namespace, c.entry, c.kind, c.chance, c.similarity, c.score, c.features,
    c.features_version, c.allowed, p.fingerprint, c.vector::extensions.halfvec, c.model
  from done d join prior p on p.id = d.id
  join jsonb_to_recordset(%(checks)s::jsonb) as c (job uuid, entry uuid, kind text, chance real, similarity real,
    score double precision, features double precision[], features_version smallint, allowed double precision,
    vector text, model text) on c.job = d.id
  on conflict do nothing
),
signalled as (  -- joined with what was ended, so that `observe` finds the rows
  select private.observe(%(tenant)s, d.id, s.model, s.quality, 'implicit')
  from done d join jsonb_to_recordset(%(signals)s::jsonb) as s (job uuid, model text, quality real) on s.job = d.id
),
told as (
  select a.job_id, a.delivery_id
  from (
    select array_agg(%(tenant)s::uuid) as tenants, array_agg(id) as jobs, array_agg(status) as statuses
    from (select id, status from done union all select job_id, 'completed' from landed where not leads) d
    having count(*) > 0
  ) ended, lateral private.announce(ended.tenants, ended.jobs, ended.statuses) a
)
select d.id, array(select delivery_id from told where told.job_id = d.id) as deliveries, (
    select jsonb_agg(jsonb_build_object('id', l.job_id, 'class', l.class)) from landed l where l.leads and l.leader = d.id
  ) as next, (select count(*) from signalled) as signals
from done d
union all
select l.job_id, array(select delivery_id from told where told.job_id = l.job_id), null, 0 from landed l where not l.leads
