-- Where the cache can neither serve an answer nor rule it out, a model is asked whether the answer serves the question.

-- The probability that the answer of `near_entry` serves; null: nobody is to be asked about it, or somebody was.
alter table public.jobs add column near_probability real;

-- asked: a model said whether the answer serves. It is a sample only where it was served and drawn to be audited like a
-- hit; what else the model said is remembered, and says nothing of the cut.
alter table public.cache_checks drop constraint cache_checks_kind_check;
alter table public.cache_checks add constraint cache_checks_kind_check
  check (kind in ('hit', 'held', 'near', 'exact', 'asked'));

-- Lets the holder of a job ask, once, if the day's budgets have room for what that may cost. It counts as spent from
-- here on, and the call as under way: if its worker dies, that is what is booked. The day's rows are locked, so that no
-- number of jobs at once exceeds a budget.
create function private.begin_asking(
  tenant uuid, job uuid, held_fence bigint, call jsonb, needed numeric, tenant_budget numeric, service_budget numeric
) returns boolean
language plpgsql volatile set search_path = '' as $$
declare
  today date := private.today();
  room text;
  asked record;
begin
  select j.near_probability as doubt, j.calling ->> 'id' = call ->> 'id' as begun into asked
  from public.jobs j
  where j.tenant_id = tenant and j.id = job and j.fence = held_fence and j.status = 'in_progress' and j.stage = 'route'
  for no key update;
  if not found or asked.doubt is null then
    return coalesce(asked.begun, false);  -- said again, because nobody heard the answer
  end if;
  insert into public.judge_days (tenant_id, day) values (tenant, today) on conflict do nothing;
  select private.judging_room(tenant_budget, d.cents, d.held_cents, needed) into room
  from public.judge_days d where d.tenant_id = tenant and d.day = today for update;
  if room = 'held' then
    room := private.hold_of_service(today, needed, service_budget);
  end if;
  if room <> 'held' then
    return false;
  end if;
  update public.judge_days d set cents = d.cents + needed where d.tenant_id = tenant and d.day = today;
  perform private.settle_of_service(today, needed, needed);
  update public.jobs j set near_probability = null, calling = call || jsonb_build_object('day', today)
  where j.tenant_id = tenant and j.id = job;
  return true;
end $$;

-- Remembers what the judge said. The answer that serves answers this question from now on, as an entry of its own; the
-- one that does not is not looked at again for it. Where the decision was drawn to be compared with the job's own answer,
-- there will be none now: it is audited as a hit is if `audited`, with that `chance`, else it is no sample any more.
-- Whether the answer is still there.
create function private.remember_asking(tenant uuid, job uuid, entry uuid, same boolean, audited boolean, chance real)
returns boolean
language plpgsql volatile set search_path = '' as $$
declare
  checked public.cache_checks;
begin
  select j.tenant_id, j.id, j.namespace, e.id, j.fingerprint, j.embedding, j.embedding_model, e.job_id,
    coalesce(-(v.embedding operator(extensions.<#>) j.embedding), 1)
  into checked.tenant_id, checked.job_id, checked.namespace, checked.entry_id, checked.fingerprint, checked.embedding,
    checked.embedding_model, checked.answered_by, checked.similarity
  from public.jobs j
  join public.cache_entries e on e.tenant_id = j.tenant_id and e.id = entry
  left join public.cache_vectors v on v.tenant_id = e.tenant_id and v.entry_id = e.id
  where j.tenant_id = tenant and j.id = job and e.expires_at > now();
  if not found then
    return false;
  end if;
  insert into public.cache_checks as c (tenant_id, job_id, namespace, entry_id, kind, sampled, chance, similarity,
    fingerprint, status, verdict, source, judged_at, answered_by, step_at)
  values (tenant, job, checked.namespace, entry, 'asked', false, 1, checked.similarity, checked.fingerprint, 'judged',
    same, 'judge', now(), checked.answered_by, null)
  on conflict (tenant_id, job_id) do update
    set kind = 'asked', sampled = audited, created_at = now(), chance = remember_asking.chance,
      score = case when audited then c.score end, features = case when audited then c.features end,
      embedding = case when audited then c.embedding end, step_at = case when audited then now() end,
      status = case when audited then 'waiting' else 'judged' end, verdict = case when not audited then true end,
      source = case when not audited then 'judge' end, judged_at = case when not audited then now() end,
      answered_by = excluded.answered_by
    where same and c.kind = 'near' and c.status = 'waiting';
  checked.created_at := now();
  perform private.copy_to_question(checked, same);
  return true;
end $$;

-- Books what came of it, whoever holds the job now: the money is spent. `differs` is what it cost beyond what counts as
-- spent already, on that day. For the holder the call stays noted, as one that is booked, and what the judge said is
-- remembered. Whether it is still the holder, and whether the answer is still there.
create function private.settle_asking(
  tenant uuid, job uuid, held_fence bigint, events jsonb, made integer, cost numeric, differs numeric, entry uuid,
  same boolean, audited boolean, chance real
) returns table (held boolean, remembered boolean)
language plpgsql volatile rows 1 set search_path = '' as $$
declare
  noted jsonb;
  on_day date;
begin
  select j.calling into noted from public.jobs j
  where j.tenant_id = tenant and j.id = job and j.fence = held_fence and j.status = 'in_progress' and j.stage = 'route'
  for no key update;
  held := found;
  remembered := false;
  if held and same is not null then
    remembered := private.remember_asking(tenant, job, entry, same, audited, chance);
  end if;
  if coalesce((noted ->> 'booked')::boolean, false) then  -- said again, because nobody heard the answer
    return next;
    return;
  end if;
  update public.jobs j
  set attempts = j.attempts + made, spent_cents = j.spent_cents + cost, calling = noted || '{"booked": true}'
  where held and j.tenant_id = tenant and j.id = job;
  insert into public.ledger_outbox
  select * from jsonb_populate_recordset(null::public.ledger_outbox, events)
  on conflict do nothing;
  on_day := coalesce((noted ->> 'day')::date, private.today());
  update public.judge_days d set cents = d.cents + differs where d.tenant_id = tenant and d.day = on_day;
  perform private.settle_of_service(on_day, differs, 0);
  return next;
end $$;

-- As before; an answer that was served because a model said so is audited as a hit is.
create or replace function private.take_on_checks(batch_size integer) returns bigint
language sql volatile security definer set search_path = '' as $$
  with looked as (
    select c.tenant_id, c.job_id, j.status in ('queued', 'in_progress') as open, j.routing ->> 'model' as served,
      case when c.kind not in ('hit', 'asked') then e.model end as rival,
      j.status = 'completed' and j.answer is not null and j.routing ->> 'model' is not null
        and (c.kind in ('hit', 'asked') or e.id is not null) and (c.kind <> 'asked' or j.served_from is not null) as usable
    from public.cache_checks c
    join public.jobs j on j.tenant_id = c.tenant_id and j.id = c.job_id
    left join public.cache_entries e on e.tenant_id = c.tenant_id and e.id = c.entry_id
      and e.created_at <= c.created_at and e.expires_at > now()
    where c.step_at <= now()
    order by c.step_at limit batch_size for update of c skip locked
  ),
  paired as (
    insert into public.shadow_pairs (tenant_id, job_id, purpose, served, rival)
    select l.tenant_id, l.job_id, 'cache', l.served, l.rival from looked l where l.usable
    on conflict do nothing
  ),
  moved as (
    update public.cache_checks c
    set step_at = case when l.open
        then now() + least(interval '10 minutes', greatest(interval '1 second', (now() - c.created_at) / 2)) end,
      status = case when l.open or l.usable then c.status else 'dropped' end,
      embedding = case when l.open or l.usable then c.embedding end
    from looked l where c.tenant_id = l.tenant_id and c.job_id = l.job_id
    returning 1
  )
  select count(*) from moved
$$;

create or replace function private.settle_check(tenant uuid, job uuid, same boolean, seen_by text, least_good integer[])
returns table (namespace bytea, entry uuid, retired boolean)
language plpgsql volatile set search_path = '' as $$
declare
  checked public.cache_checks;
  gone boolean := false;
begin
  select * into checked from public.cache_checks c where c.tenant_id = tenant and c.job_id = job for update;
  if not found or checked.verdict is not null
    and (checked.source = 'user' and seen_by <> 'user' or checked.verdict = same and checked.source = seen_by)
  then
    return;
  end if;
  update public.cache_checks c
  set status = 'judged', verdict = same, source = seen_by, judged_at = now(), embedding = null, step_at = null,
    answered_by = coalesce(
      (
        select j.served_from from public.jobs j
        where j.tenant_id = tenant and j.id = job and c.kind in ('hit', 'asked', 'exact')
      ),
      (
        select e.job_id from public.cache_entries e
        where e.tenant_id = tenant and e.id = c.entry_id and e.created_at <= c.created_at
      ),
      c.answered_by)
  where c.tenant_id = tenant and c.job_id = job;
  if seen_by = 'user' then  -- nobody else is to be asked
    update public.shadow_pairs p set status = 'dropped', reason = 'user_judged', answer = null, calling = null,
      held_cents = 0, lease_until = null, finished_at = now()
    where p.tenant_id = tenant and p.job_id = job and p.purpose = 'cache' and p.finished_at is null;
  end if;
  if checked.kind <> 'exact' then  -- the row is locked from here on: groups of a namespace are joined one after another
    insert into public.cache_namespaces as n (tenant_id, namespace, verdicts) values (tenant, checked.namespace, 1)
    on conflict on constraint cache_namespaces_pkey do update set verdicts = n.verdicts + 1;
  end if;
  if checked.kind in ('hit', 'asked') then
    perform private.copy_to_question(checked, same);
  elsif checked.kind in ('near', 'held') then
    perform private.group_answers(checked, same);
  end if;
  if checked.kind not in ('near', 'asked') then  -- what scored too little was not the answer's fault
    gone := private.count_judgement(checked, same, least_good);
  end if;
  return query select case when checked.kind <> 'exact' then checked.namespace end, checked.entry_id, gone;
end $$;

create or replace function private.judge_hit(tenant uuid, job uuid, same boolean, least_good integer[]) returns bytea
language plpgsql volatile set search_path = '' as $$
begin
  insert into public.cache_checks (tenant_id, job_id, namespace, entry_id, kind, sampled, chance, similarity,
    fingerprint, step_at, created_at)
  select j.tenant_id, j.id, j.namespace, e.id, case j.routing ->> 'cache' when 'exact' then 'exact' else 'hit' end,
    false, 1, coalesce((j.routing ->> 'similarity')::real, 1), j.fingerprint, null, j.finished_at
  from public.jobs j
  cross join lateral (
    select coalesce(j.near_entry, (
      select e.id from public.cache_entries e
      where e.tenant_id = tenant and e.job_id = j.served_from
      order by e.fingerprint <> j.fingerprint, e.asked_by is not null limit 1
    )) as id
  ) e
  where j.tenant_id = tenant and j.id = job and j.routing ->> 'cache' in ('exact', 'semantic') and e.id is not null
  on conflict do nothing;
  return (
    select s.namespace
    from public.cache_checks c, lateral private.settle_check(tenant, job, same, 'user', least_good) s
    where c.tenant_id = tenant and c.job_id = job and (c.kind in ('hit', 'exact') or c.kind = 'asked' and c.entry_id = (
      select j.near_entry from public.jobs j
      where j.tenant_id = tenant and j.id = job and j.routing ->> 'cache' = 'semantic'))
  );
end $$;

-- What counts against quotas: calls, and what was asked about a kept answer in place of one.
create function private.is_charged(kind text, strategy text) returns boolean
language sql immutable set search_path = '' as $$
  select kind in ('call', 'shared') or kind = 'judge' and strategy is not distinct from 'cache'
$$;

-- As before, with the above.
create or replace function private.charge_quotas() returns trigger
language plpgsql set search_path = '' as $$
declare
  limited uuid[];
  hit record;
begin
  limited := array(
    select distinct f.tenant_id from fresh f
    where private.is_charged(f.kind, f.strategy)
      and exists (select from public.quotas q where q.tenant_id = f.tenant_id));
  if cardinality(limited) = 0 then
    return null;
  end if;
  perform private.lock_limited(limited);
  for hit in
    with charged as (
      insert into public.quota_windows as w (tenant_id, scope, period, unit, starts_at, used)
      select f.tenant_id, q.scope, q.period, q.unit,
        private.window_start(q.period, coalesce(j.created_at, f.at)) as starts_at,
        sum(case q.unit when 'tokens' then f.input_uncached + f.cache_read + f.cache_write + f.output
          when 'cents' then coalesce(f.cost_cents, 0) + coalesce(f.shared_cents, 0)
          else (f.outcome = 'ok' and f.kind = 'call')::integer end) as used
      from fresh f
      left join public.jobs j on j.tenant_id = f.tenant_id and j.id = f.job_id
      join (
        select distinct l.tenant_id, l.scope, l.period, l.unit from public.quotas l where l.tenant_id = any (limited)
      ) q on q.tenant_id = f.tenant_id
        and q.scope = any (private.scopes_of(coalesce(f.api_key_id, j.api_key_id), j.tags))
      where private.is_charged(f.kind, f.strategy)
      group by f.tenant_id, q.scope, q.period, q.unit, starts_at
      on conflict on constraint quota_windows_pkey do update set used = w.used + excluded.used
      returning w.*
    )
    select c.tenant_id, c.alerted,
      (c.scope, c.period, c.unit, l.source, l.quota, c.starts_at, c.used, c.reserved)::private.open_quota as passed
    from charged c
    cross join lateral (
      select q.quota, q.source from public.quotas q
      where q.tenant_id = c.tenant_id and (q.scope, q.period, q.unit) = (c.scope, c.period, c.unit)
      order by q.quota, q.source limit 1
    ) l
    where c.period <> 'minute' and c.starts_at = private.window_start(c.period, now())
      and private.alert_level(c.used, l.quota) > c.alerted
    order by c.tenant_id
  loop
    perform private.tell_thresholds(hit.tenant_id, hit.passed, hit.alerted);
  end loop;
  return null;
end $$;

create or replace function private.used_since(
  tenant uuid, quota_scope text, quota_period text, quota_unit text, since timestamptz
) returns numeric
language sql stable set search_path = '' as $$
  with attempt as (
    select a.outcome = 'ok' and a.kind = 'call' as answered,
      a.input_uncached + a.cache_read + a.cache_write + a.output as tokens,
      coalesce(a.cost_cents, 0) + coalesce(a.shared_cents, 0) as cents
    from public.ledger_attempts a left join public.jobs j on j.tenant_id = tenant and j.id = a.job_id
    where a.tenant_id = tenant and a.at >= since and private.is_charged(a.kind, a.strategy)
      and (quota_scope <> 'tenant' or a.kind = 'judge')
      and quota_scope = any (private.scopes_of(coalesce(a.api_key_id, j.api_key_id), j.tags))
    union all
    select o.outcome = 'ok' and o.kind = 'call', o.input_uncached + o.cache_read + o.cache_write + o.output,
      coalesce(o.cost_cents, 0) + case when quota_scope = 'tenant' then 0 else coalesce(o.shared_cents, 0) end
    from public.ledger_outbox o left join public.jobs j on j.tenant_id = tenant and j.id = o.job_id
    where o.tenant_id = tenant and o.at >= since and private.is_charged(o.kind, o.strategy)
      and quota_scope = any (private.scopes_of(coalesce(o.api_key_id, j.api_key_id), j.tags))
  ),
  counted as (
    select r.answered as requests, r.input_tokens + r.output_tokens as tokens, r.cost_cents as cents
    from public.rollups r
    where quota_scope = 'tenant' and r.tenant_id = tenant and r.bucket >= since and r.kind = 'call'
      and r.grain = case quota_period when 'minute' then 'minute' else 'day' end
    union all
    select a.answered::integer, a.tokens, a.cents from attempt a
  )
  select coalesce(sum(case quota_unit when 'tokens' then c.tokens when 'cents' then c.cents else c.requests end), 0)
  from counted c
$$;

do $$
declare
  made regprocedure;
begin
  foreach made in array array[
    'private.begin_asking(uuid, uuid, bigint, jsonb, numeric, numeric, numeric)',
    'private.settle_asking(uuid, uuid, bigint, jsonb, integer, numeric, numeric, uuid, boolean, boolean, real)',
    'private.remember_asking(uuid, uuid, uuid, boolean, boolean, real)', 'private.is_charged(text, text)'
  ]::regprocedure[] loop
    execute format('revoke execute on function %s from public, anon, authenticated', made);
    execute format('grant execute on function %s to aico_service', made);
  end loop;
end $$;
