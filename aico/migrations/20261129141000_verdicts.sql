-- One call asks about several answers that are in doubt for a question, and each verdict is remembered.

-- Further entries in doubt beside `near_entry`, the most likely first: {entry, probability, score, features}, which are
-- what they were decided by. Null: there are none.
alter table public.jobs add column near_others jsonb;

-- Further answers that were found not to serve the question, by the jobs that paid for them.
alter table public.cache_checks add column refuted uuid[];
create index cache_checks_refuted_too on public.cache_checks (tenant_id, fingerprint) where refuted is not null;

drop function private.settle_asking(
  uuid, uuid, bigint, jsonb, integer, numeric, numeric, uuid, boolean, boolean, real);
drop function private.remember_asking(uuid, uuid, uuid, boolean, boolean, real);

-- Remembers what the judge said of one answer. The answer that serves answers this question from now on, as an entry of
-- its own. Where the decision was drawn to be compared with the job's own answer, there will be none now: it is audited as
-- a hit is if `audited`, with that `chance` and by what this answer was decided by, else it is no sample any more. Whether
-- the answer is still there.
create function private.remember_verdict(
  tenant uuid, job uuid, entry uuid, same boolean, audited boolean, chance real
) returns boolean
language plpgsql volatile set search_path = '' as $$
declare
  checked public.cache_checks;
  other jsonb;
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
  select o.said into other
  from public.jobs j cross join lateral jsonb_array_elements(j.near_others) o (said)
  where j.tenant_id = tenant and j.id = job and (o.said ->> 'entry')::uuid = entry and j.near_entry <> entry
  limit 1;
  insert into public.cache_checks as c (tenant_id, job_id, namespace, entry_id, kind, sampled, chance, similarity,
    fingerprint, status, verdict, source, judged_at, answered_by, step_at)
  values (tenant, job, checked.namespace, entry, 'asked', false, 1, checked.similarity, checked.fingerprint, 'judged',
    same, 'judge', now(), checked.answered_by, null)
  on conflict (tenant_id, job_id) do update
    set kind = 'asked', entry_id = excluded.entry_id, sampled = audited, created_at = now(),
      chance = remember_verdict.chance,
      similarity = case when other is null then c.similarity else excluded.similarity end,
      score = case when audited then coalesce((other ->> 'score')::double precision, c.score) end,
      features = case when not audited then null when other is null then c.features
        else array(select jsonb_array_elements_text(other -> 'features')::double precision) end,
      embedding = case when audited then c.embedding end, step_at = case when audited then now() end,
      status = case when audited then 'waiting' else 'judged' end, verdict = case when not audited then true end,
      source = case when not audited then 'judge' end, judged_at = case when not audited then now() end,
      answered_by = excluded.answered_by
    where same and c.kind = 'near' and c.status = 'waiting';
  checked.created_at := now();
  perform private.copy_to_question(checked, same);
  return true;
end $$;

-- Likewise of all {entry, same} that the judge was asked about, the most likely first: the first that serves and is still
-- there is the one to be served, and is returned. Those that do not are not looked at again for this question.
create function private.remember_verdicts(tenant uuid, job uuid, verdicts jsonb, audited boolean, chance real)
returns uuid
language plpgsql volatile set search_path = '' as $$
declare
  one record;
  served uuid;
begin
  for one in
    select (v.said ->> 'entry')::uuid as entry, (v.said ->> 'same')::boolean as same
    from jsonb_array_elements(verdicts) with ordinality v (said, place)
    order by (v.said ->> 'same')::boolean desc, v.place
  loop
    if private.remember_verdict(tenant, job, one.entry, one.same, audited, chance) then
      served := case when one.same then one.entry end;
      exit;
    end if;
  end loop;
  update public.cache_checks c set refuted = r.answers
  from (
    select array_agg(distinct e.job_id) as answers
    from jsonb_array_elements(verdicts) v (said)
    join public.cache_entries e on e.tenant_id = tenant and e.id = (v.said ->> 'entry')::uuid
    where not (v.said ->> 'same')::boolean
  ) r
  where c.tenant_id = tenant and c.job_id = job and cardinality(r.answers) > 0 and jsonb_array_length(verdicts) > 1;
  return served;
end $$;

-- Books what came of it, whoever holds the job now: the money is spent. `differs` is what it cost beyond what counts as
-- spent already, on that day. For the holder the call stays noted, as one that is booked, and what the judge said is
-- remembered. Whether it is still the holder, and the entry whose answer serves.
create function private.settle_verdicts(
  tenant uuid, job uuid, held_fence bigint, events jsonb, made integer, cost numeric, differs numeric, verdicts jsonb,
  audited boolean, chance real
) returns table (held boolean, served uuid)
language plpgsql volatile rows 1 set search_path = '' as $$
declare
  noted jsonb;
  on_day date;
begin
  select j.calling into noted from public.jobs j
  where j.tenant_id = tenant and j.id = job and j.fence = held_fence and j.status = 'in_progress' and j.stage = 'route'
  for no key update;
  held := found;
  if held then
    served := private.remember_verdicts(tenant, job, verdicts, audited, chance);
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
    'private.remember_verdict(uuid, uuid, uuid, boolean, boolean, real)',
    'private.remember_verdicts(uuid, uuid, jsonb, boolean, real)',
    'private.settle_verdicts(uuid, uuid, bigint, jsonb, integer, numeric, numeric, jsonb, boolean, real)'
  ]::regprocedure[] loop
    execute format('revoke execute on function %s from public, anon, authenticated', made);
    execute format('grant execute on function %s to aico_service', made);
  end loop;
end $$;
