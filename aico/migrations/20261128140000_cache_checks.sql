-- Checks of the cache's decisions: a judge, or the caller, says whether the answer that was looked at serves the question.

-- A copy of an answer under a question that it was found to serve: `job_id` paid for it, this job asked.
alter table public.cache_entries add column asked_by uuid;
create index cache_entries_asked_by on public.cache_entries (tenant_id, asked_by) where asked_by is not null;

alter table public.cache_checks
  add column sampled boolean not null default true,  -- drawn by chance; else somebody spoke of his own accord
  add column answered_by uuid,                       -- once it is judged: the job that paid for the answer
  add column step_at timestamptz default now(),      -- when the job is looked at again; null: nothing waits for that
  alter column score drop not null,                  -- of what nobody drew they are not kept
  alter column features drop not null,
  add check (not sampled or score is not null and features is not null),
  drop constraint cache_checks_kind_check,
  -- exact: the same question, answered from the cache; only what a caller says of it is kept
  add check (kind in ('hit', 'held', 'near', 'exact'));
create index cache_checks_due on public.cache_checks (step_at) where step_at is not null;
-- Of a question the answers that do not serve it.
create index cache_checks_refuted on public.cache_checks (tenant_id, fingerprint) where not verdict;

-- A job may have a pair for each purpose: models are compared, or the cache is checked.
alter table public.shadow_pairs
  add column purpose text not null default 'quality' check (purpose in ('quality', 'cache')),
  drop constraint shadow_pairs_pkey,
  add primary key (tenant_id, job_id, purpose),
  drop constraint shadow_pairs_first_verdict_check,
  add check (first_verdict in ('served', 'rival', 'tie', 'same', 'different')),
  drop constraint shadow_pairs_result_check,
  add check (result in ('served', 'rival', 'tie', 'same', 'different'));

-- As before, of the pair with this purpose.
drop function private.hold_for_judging(uuid, uuid, bigint, numeric, numeric, numeric);
create function private.hold_for_judging(
  tenant uuid, job uuid, for_purpose text, held_fence bigint, needed numeric, tenant_budget numeric,
  service_budget numeric
) returns text
language plpgsql volatile set search_path = '' as $$
declare
  today date := private.today();
  room text;
begin
  update public.shadow_pairs p set held_cents = 0
  where p.tenant_id = tenant and p.job_id = job and p.purpose = for_purpose and p.fence = held_fence
    and p.finished_at is null;
  if not found then
    return null;
  end if;
  insert into public.judge_days (tenant_id, day) values (tenant, today) on conflict do nothing;
  select private.judging_room(tenant_budget, d.cents, d.held_cents, needed) into room
  from public.judge_days d where d.tenant_id = tenant and d.day = today for update;
  if room = 'held' then
    room := private.hold_of_service(today, needed, service_budget);
  end if;
  if room = 'held' then
    update public.judge_days d set held_cents = d.held_cents + needed where d.tenant_id = tenant and d.day = today;
    update public.shadow_pairs p set held_cents = needed, held_on = today
    where p.tenant_id = tenant and p.job_id = job and p.purpose = for_purpose and p.fence = held_fence;
  end if;
  return room;
end $$;

-- Makes pairs of checks whose jobs have ended, and drops those that come to nothing: the job has no whole answer, or the
-- answer that it was to be compared with is gone. Jobs that are still open are looked at ever more rarely. Returns how
-- many were looked at. O(batch_size).
create function private.take_on_checks(batch_size integer) returns bigint
language sql volatile security definer set search_path = '' as $$
  with looked as (
    select c.tenant_id, c.job_id, j.status in ('queued', 'in_progress') as open, j.routing ->> 'model' as served,
      case when c.kind <> 'hit' then e.model end as rival,
      j.status = 'completed' and j.answer is not null and j.routing ->> 'model' is not null
        and (c.kind = 'hit' or e.id is not null) as usable
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

-- Stores whether the answer that was looked at serves the job's question as well as one of its own, and what follows
-- from that. A caller's word stands against a judge's, a later one of either replaces an earlier one, and the same again
-- changes nothing: then there is no row. `least_good` says, by the number of bad judgements, how many good ones an entry
-- needs to go on being served. The row names the namespace of which more is known now, if so, and says whether the
-- entry is served no more.
--
-- O(entries of the group that joins another).
create function private.settle_check(tenant uuid, job uuid, same boolean, seen_by text, least_good integer[])
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
        where j.tenant_id = tenant and j.id = job and c.kind in ('hit', 'exact')
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
  if checked.kind = 'hit' then
    perform private.copy_to_question(checked, same);
  elsif checked.kind in ('near', 'held') then
    perform private.group_answers(checked, same);
  end if;
  if checked.kind <> 'near' then  -- what scored too little was not the answer's fault
    gone := private.count_judgement(checked, same, least_good);
  end if;
  return query select case when checked.kind <> 'exact' then checked.namespace end, checked.entry_id, gone;
end $$;

-- The looked-at entry with a judgement more, in place of the check's earlier one; it goes if too many were bad. Whether it
-- has gone. An answer that is newer than the check was not judged.
create function private.count_judgement(checked public.cache_checks, same boolean, least_good integer[]) returns boolean
language plpgsql volatile set search_path = '' as $$
declare
  judged record;
begin
  update public.cache_entries e
  set good = greatest(0, e.good + same::integer - coalesce(checked.verdict, false)::integer),
    bad = greatest(0, e.bad + (not same)::integer - coalesce(not checked.verdict, false)::integer)
  where e.tenant_id = checked.tenant_id and e.id = checked.entry_id and e.created_at <= checked.created_at
  returning e.good, e.bad into judged;
  if not found or judged.bad = 0 or judged.good >= least_good[judged.bad] then
    return false;
  end if;
  delete from public.cache_entries e where e.tenant_id = checked.tenant_id and e.id = checked.entry_id;
  return true;
end $$;

-- Has the question of a hit that was right answered by that answer from now on, as an entry of its own; takes that
-- back if it was wrong after all.
create function private.copy_to_question(checked public.cache_checks, same boolean) returns void
language sql volatile set search_path = '' as $$
  delete from public.cache_entries e
  where not same and e.tenant_id = checked.tenant_id and e.asked_by = checked.job_id;

  with copied as (
    insert into public.cache_entries as e (id, tenant_id, namespace, fingerprint, job_id, asked_by, answer, routing,
      question, tags, answer_group, compared, created_at, expires_at)
    select gen_random_uuid(), e.tenant_id, e.namespace, checked.fingerprint, e.job_id, j.id, e.answer, e.routing,
      j.request #>> '{messages,-1,content}', e.tags, e.answer_group, true, e.created_at, e.expires_at
    from public.cache_entries e join public.jobs j on j.tenant_id = e.tenant_id and j.id = checked.job_id
    where same and e.tenant_id = checked.tenant_id and e.id = checked.entry_id and e.created_at <= checked.created_at
      and e.expires_at > now()
    for key share of e
    on conflict do nothing
    returning e.id, e.created_at, e.expires_at
  )
  insert into public.cache_vectors (tenant_id, namespace, model, entry_id, embedding, created_at, expires_at)
  select checked.tenant_id, checked.namespace, checked.embedding_model, c.id, checked.embedding, c.created_at,
    c.expires_at
  from copied c where checked.embedding is not null
$$;

-- The job's own answer has been compared with the one that was looked at. If they serve each other's questions, so do
-- all of the one's group and of the other's; if that was said before and is taken back, its own leaves the group.
create function private.group_answers(checked public.cache_checks, same boolean) returns void
language plpgsql volatile set search_path = '' as $$
declare
  own record;
  other record;
begin
  update public.cache_entries e
  set compared = true, answer_group = case when checked.verdict and not same then gen_random_uuid() else e.answer_group end
  where e.tenant_id = checked.tenant_id and e.job_id = checked.job_id and e.asked_by is null
  returning e.answer_group into own;
  if not found or not same then
    return;
  end if;
  select e.answer_group into other from public.cache_entries e
  where e.tenant_id = checked.tenant_id and e.id = checked.entry_id and e.created_at <= checked.created_at;
  if found then
    update public.cache_entries e set answer_group = other.answer_group
    where e.tenant_id = checked.tenant_id and e.namespace = checked.namespace and e.answer_group = own.answer_group
      and own.answer_group <> other.answer_group;
  end if;
end $$;

-- What a caller says of an answer that came from the cache: it settles the job's check, or one that nobody drew. The
-- namespace of which more is known now; null: none.
create function private.judge_hit(tenant uuid, job uuid, same boolean, least_good integer[]) returns bytea
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
    where c.tenant_id = tenant and c.job_id = job and c.kind in ('hit', 'exact')
  );
end $$;

revoke execute on all functions in schema public, private from public, anon, authenticated;
grant execute on all functions in schema private to aico_service;
grant execute on function private.my_tenants(), private.programme_of(uuid) to authenticated;
revoke execute on function private.my_tenants() from aico_service;
grant execute on function public.match_cache_entries, public.get_user_cache_stats to authenticated, aico_service;
