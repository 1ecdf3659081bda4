-- Changes of tables that change rarely are told to those of its members who listen. Whatever changes with each job is told
-- by ticks instead, never row by row.

-- Answers as samples, at most about one a second and tenant, for whoever watches for one of a kind: of a provider, above a
-- cost, of little confidence. Kept for an hour; what counts is in the ledger.
create table public.answer_samples (
  tenant_id uuid not null references public.tenants on delete cascade,
  job_id uuid not null,
  at timestamptz not null default now(),
  kind text not null,                     -- as in the ledger
  provider text not null,
  model text not null,
  latency_ms integer not null,
  cost_cents numeric(20, 6),              -- null: no price is known
  confidence text,                        -- of the decision; null: there was nothing to decide
  primary key (tenant_id, job_id)
);
create index answer_samples_age on public.answer_samples (tenant_id, at);

create function private.sample_answers() returns trigger
language plpgsql set search_path = '' as $$
begin
  insert into public.answer_samples (tenant_id, job_id, kind, provider, model, latency_ms, cost_cents, confidence)
  select distinct on (b.tenant_id) b.tenant_id, b.job_id, b.kind, b.provider, b.model, b.latency_ms, b.cost_cents,
    (select d.confidence from public.decisions d where d.tenant_id = b.tenant_id and d.job_id = b.job_id)
  from booked b
  where b.outcome = 'ok' and b.concludes is not false and not exists (
    select from public.answer_samples s where s.tenant_id = b.tenant_id and s.at > now() - interval '1 second')
  order by b.tenant_id, b.at desc, b.id
  on conflict do nothing;
  if found then
    delete from public.answer_samples s where (s.tenant_id, s.job_id) in (
      select o.tenant_id, o.job_id from public.answer_samples o
      where o.tenant_id = any (array(select distinct b.tenant_id from booked b)) and o.at < now() - interval '1 hour'
      for update skip locked);  -- two who book at once do not wait for each other
  end if;
  return null;
end $$;
create trigger sample_answers after insert on public.ledger_attempts
  referencing new table as booked for each statement execute function private.sample_answers();

alter table public.answer_samples enable row level security;
alter table public.answer_samples force row level security;
create policy member_reads on public.answer_samples for select to authenticated
  using (tenant_id = any (array(select private.my_tenants())));
create policy service_works on public.answer_samples for all to aico_service
  using (tenant_id = any (array(select private.service_tenants())))
  with check (tenant_id = any (array(select private.service_tenants())));
revoke all on public.answer_samples from public, anon, authenticated;
grant select on public.answer_samples to authenticated;
grant select, insert, update, delete on public.answer_samples to aico_service;
revoke execute on function private.sample_answers() from public, anon, authenticated;

do $$
declare
  noun text;
begin
  if not exists (select from pg_publication where pubname = 'supabase_realtime' and not puballtables) then
    return;  -- no Realtime here, or one that is told of every table
  end if;
  foreach noun in array array['alerts', 'answer_samples', 'batches', 'experiments'] loop
    if not exists (
      select from pg_publication_tables
      where pubname = 'supabase_realtime' and schemaname = 'public' and tablename = noun
    ) then
      execute format('alter publication supabase_realtime add table public.%I', noun);
    end if;
  end loop;
end $$;
