-- name: due
select tenant_id, job_id from private.due_pairs(%(limit)s)

-- name: claim
with due as (  -- of two pairs of the job the one that has waited longer
  select purpose from public.shadow_pairs
  where tenant_id = %(tenant)s and job_id = %(job)s and finished_at is null and step_at <= now()
    and (lease_until is null or lease_until < now())
  order by step_at limit 1 for update skip locked
)
update public.shadow_pairs p
set fence = p.fence + 1, lease_until = now() + make_interval(secs => %(lease)s)
from due
join public.jobs j on j.tenant_id = %(tenant)s and j.id = %(job)s and j.answer is not null
join public.tenants t on t.id = j.tenant_id
left join public.cache_checks c on c.tenant_id = j.tenant_id and c.job_id = j.id and due.purpose = 'cache'
left join public.cache_entries e on e.tenant_id = j.tenant_id and e.id = c.entry_id and c.kind not in ('hit', 'asked')
  and e.created_at <= c.created_at and e.expires_at > now()
where p.tenant_id = %(tenant)s and p.job_id = %(job)s and p.purpose = due.purpose
returning p.purpose, c.kind, p.fence, p.served, p.rival, p.judge, coalesce(p.answer, e.answer ->> 'text') as answer,
  p.first_verdict, p.second_verdict, p.calling, p.tries, p.reserved,
  extract(epoch from now() - p.created_at)::double precision as age_seconds, j.request, j.answer as given, j.traceparent,
  t.implicit_outcomes, t.shadow_rate, t.judge_model, t.judge_daily_cents, t.compare_with_own_keys, t.draw_salt,
  (select k.models from public.api_keys k where k.tenant_id = j.tenant_id and k.id = j.api_key_id) as models,
  (
    select jsonb_agg(private.sealed(k)) from public.provider_keys k
    where k.tenant_id = j.tenant_id and k.retired_at is null
  ) as provider_keys

-- name: renew
update public.shadow_pairs set lease_until = now() + make_interval(secs => %(lease)s)
where tenant_id = %(tenant)s and job_id = %(job)s and purpose = %(purpose)s and fence = %(fence)s
  and finished_at is null

-- name: hold
select private.hold_for_judging(%(tenant)s, %(job)s, %(purpose)s, %(fence)s, %(cents)s::numeric,
  %(tenant_budget)s::numeric, %(service_budget)s::numeric) as held

-- name: plan
update public.shadow_pairs set rival = %(rival)s, judge = %(judge)s
where tenant_id = %(tenant)s and job_id = %(job)s and purpose = %(purpose)s and fence = %(fence)s
  and finished_at is null

-- name: note
update public.shadow_pairs set calling = %(calling)s
where tenant_id = %(tenant)s and job_id = %(job)s and purpose = %(purpose)s and fence = %(fence)s
  and finished_at is null
returning job_id

-- name: book
with held as (
  update public.shadow_pairs p
  set calling = null, reserved = null, answer = coalesce(%(answer)s, p.answer), first_verdict = coalesce(%(first)s, p.first_verdict),
    second_verdict = coalesce(%(second)s, p.second_verdict),
    held_cents = greatest(p.held_cents - %(cents)s::numeric, 0), tries = p.tries + %(failed)s::boolean::integer
  where p.tenant_id = %(tenant)s and p.job_id = %(job)s and p.purpose = %(purpose)s and p.fence = %(fence)s
    and p.finished_at is null
  returning p.job_id
),
event as (  -- once, whoever books it: whoever took the pair over has the call's id too
  insert into public.ledger_outbox
  select * from jsonb_populate_recordset(null::public.ledger_outbox, %(events)s::jsonb)
  on conflict do nothing
  returning id
),
spent as (
  select private.spend_on_judging(%(tenant)s, %(cents)s::numeric) from event
)
select exists (select from held) as held, (select count(*) from spent) as booked

-- name: postpone
update public.shadow_pairs
set lease_until = null, calling = null, held_cents = 0, reserved = %(reserved)s,
  step_at = now() + make_interval(secs => %(pause)s)
where tenant_id = %(tenant)s and job_id = %(job)s and purpose = %(purpose)s and fence = %(fence)s
  and finished_at is null

-- name: finish
with ended as (
  update public.shadow_pairs p
  set status = case when %(result)s::text is null then 'dropped' else 'judged' end, reason = %(reason)s,
    result = %(result)s, answer = null, calling = null, held_cents = 0, lease_until = null, finished_at = now()
  where p.tenant_id = %(tenant)s and p.job_id = %(job)s and p.purpose = %(purpose)s and p.fence = %(fence)s
    and p.finished_at is null
  returning p.job_id, p.served, p.rival, p.result
),
scored as (
  insert into public.pair_rollups as r (tenant_id, day, model, rival, task, wins, ties, losses)
  select %(tenant)s, private.today(), least(e.served, e.rival), greatest(e.served, e.rival),
    coalesce(j.routing ->> 'task', ''),
    ((e.result = 'served') = (e.served < e.rival) and e.result <> 'tie')::integer, (e.result = 'tie')::integer,
    ((e.result = 'rival') = (e.served < e.rival) and e.result <> 'tie')::integer
  from ended e join public.jobs j on j.tenant_id = %(tenant)s and j.id = e.job_id
  where e.result is not null
  on conflict (tenant_id, day, model, rival, task) do update set
    wins = r.wins + excluded.wins, ties = r.ties + excluded.ties, losses = r.losses + excluded.losses
),
observed as (
  select private.observe(%(tenant)s, e.job_id, o.model, o.quality, 'judge')
  from ended e
  cross join lateral (
    values (e.served, %(quality)s::real), (e.rival, (1 - %(quality)s::real)::real)
  ) o (model, quality)
  where e.result is not null
)
select (select count(*) from observed) as observed from ended

-- name: finish_check
with ended as (
  update public.shadow_pairs p
  set status = 'judged', result = %(result)s, answer = null, calling = null, held_cents = 0, lease_until = null,
    finished_at = now()
  where p.tenant_id = %(tenant)s and p.job_id = %(job)s and p.purpose = %(purpose)s and p.fence = %(fence)s
    and p.finished_at is null
  returning p.job_id
)
select s.namespace, s.retired
from ended e
cross join lateral private.settle_check(%(tenant)s, e.job_id, %(same)s, %(source)s, %(least_good)s::integer[]) s

-- name: drop_check
with ended as (
  update public.shadow_pairs p
  set status = 'dropped', reason = %(reason)s, answer = null, calling = null, held_cents = 0, lease_until = null,
    finished_at = now()
  where p.tenant_id = %(tenant)s and p.job_id = %(job)s and p.purpose = %(purpose)s and p.fence = %(fence)s
    and p.finished_at is null
  returning p.job_id
)
update public.cache_checks c set status = 'dropped', embedding = null
from ended e where c.tenant_id = %(tenant)s and c.job_id = e.job_id and c.status = 'waiting'
