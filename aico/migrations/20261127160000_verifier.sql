-- What is learned of drafts: what was seen on each, sums and solutions beside those of models; and how much an outcome
-- counted for when it was learned.

-- Of the draft that was checked; null: none was. Its words are in no decision.
alter table public.decisions
  add column draft_model text,
  add column draft_passed boolean,        -- if not, the answer is another model's, or the draft's after all
  add column draft_loss real,             -- that was expected of it, 0 to 1
  add column draft_design text,           -- what the numbers are of
  add column draft_features bytea;        -- float16, little end first: those of the answer; the prompt's are above
create index decisions_drafted on public.decisions (tenant_id, job_id) include (draft_model, draft_passed)
  where draft_model is not null;

alter table public.learner_statistics add column kind text not null default 'model' check (kind in ('model', 'draft'));
alter table public.learner_statistics drop constraint learner_statistics_pkey;
alter table public.learner_statistics add primary key (tenant_id, kind, model);

alter table public.learner_solutions add column verifier bytea;  -- of drafts; null: there were no outcomes of any
alter table public.learner_solutions alter column verifier set storage external;

-- What the learner knows of an outcome is corrected by as much as it counted for.
alter table public.outcomes
  add column learned_source text check (learned_source in ('implicit', 'judge', 'user')),
  add column learned_weight double precision;
update public.outcomes set learned_weight = 1, learned_source = source where learned_quality = quality;
alter table public.outcomes add column to_learn boolean not null generated always as
  (learned_quality is distinct from quality or learned_source is distinct from source) stored;
drop index public.outcomes_to_learn;
create index outcomes_to_learn on public.outcomes (tenant_id, observed_at) where to_learn;

-- As before.
create or replace function private.due_learners(enough integer, patience interval, batch_size integer) returns setof uuid
language sql stable security definer set search_path = '' as $$
  with recursive waiting as (
    (select o.tenant_id from public.outcomes o where o.to_learn order by o.tenant_id limit 1)
    union all
    select (select o.tenant_id from public.outcomes o
            where o.to_learn and o.tenant_id > w.tenant_id order by o.tenant_id limit 1)
    from waiting w where w.tenant_id is not null
  )
  select w.tenant_id
  from waiting w left join public.learners l on l.tenant_id = w.tenant_id
  where w.tenant_id is not null and (l.due_at is null or l.due_at <= now())
    and (l.lease_until is null or l.lease_until < now())
    and (
      (select o.observed_at from public.outcomes o
       where o.tenant_id = w.tenant_id and o.to_learn order by o.observed_at limit 1) <= now() - patience
      or exists (
        select from public.outcomes o
        where o.tenant_id = w.tenant_id and o.to_learn order by o.observed_at offset enough - 1 limit 1
      )
    )
  limit batch_size
$$;

-- As before; what was judged goes with the job too. Sums of it stay.
create or replace function private.purge_jobs(kept interval, batch_size integer) returns bigint
language sql volatile security definer set search_path = '' as $$
  with old as (
    delete from public.jobs j
    using (
      select l.tenant_id, l.id
      from public.tenants t
      left join public.retention r on r.tenant_id = t.id
      cross join lateral (select now() - coalesce(make_interval(days => r.jobs_days), kept) as until) limits
      cross join lateral (
        select o.tenant_id, o.id from public.jobs o
        where o.tenant_id = t.id and o.id < private.first_id_at(limits.until) and o.finished_at < limits.until
          and not exists (
            select from public.batches b
            where b.tenant_id = o.tenant_id and b.id = o.batch_id and b.finished_at is null
          )
        order by o.id limit batch_size for update skip locked
      ) l
      limit batch_size
    ) l
    where j.tenant_id = l.tenant_id and j.id = l.id
    returning j.tenant_id, j.id
  ),
  judged as (
    delete from public.feedback f using old where f.tenant_id = old.tenant_id and f.job_id = old.id
  ),
  outcomes as (
    delete from public.outcomes o using old where o.tenant_id = old.tenant_id and o.job_id = old.id
  ),
  decided as (
    delete from public.decisions d using old where d.tenant_id = old.tenant_id and d.job_id = old.id
  ),
  keys as (
    delete from public.idempotency_keys k
    using (
      select l.tenant_id, l.key from public.idempotency_keys l where l.expires_at < now()
      order by l.expires_at limit batch_size for update skip locked
    ) l
    where k.tenant_id = l.tenant_id and k.key = l.key
    returning 1
  )
  select greatest((select count(*) from old), (select count(*) from keys))
$$;

revoke execute on all functions in schema public, private from public, anon, authenticated;
grant execute on all functions in schema private to aico_service;
grant execute on function private.my_tenants(), private.programme_of(uuid) to authenticated;
revoke execute on function private.my_tenants() from aico_service;
grant execute on function public.match_cache_entries, public.get_user_cache_stats to authenticated, aico_service;
