-- Where the cache can neither serve an answer nor rule it out, a model is asked whether the answer serves the question.

-- The probability that the answer of `near_entry` serves; null: nobody is to be asked about it, or somebody was.
alter table public.jobs add column near_probability real;

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

do $$
declare
  made regprocedure;
begin
  foreach made in array array[
    'private.begin_asking(uuid, uuid, bigint, jsonb, numeric, numeric, numeric)',
    'private.settle_asking(uuid, uuid, bigint, jsonb, integer, numeric, numeric, uuid, boolean, boolean, real)',
    'private.remember_asking(uuid, uuid, uuid, boolean, boolean, real)'
  ]::regprocedure[] loop
    execute format('revoke execute on function %s from public, anon, authenticated', made);
    execute format('grant execute on function %s to aico_service', made);
  end loop;
end $$;
