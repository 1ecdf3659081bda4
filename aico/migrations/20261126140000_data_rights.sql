-- What a tenant may say about its own data: what is redacted before it is stored, how long it is kept, that it be
-- handed out, that it be erased.
alter table public.tenants add column pii text not null default 'off' check (pii in ('off', 'redact'));

-- Days; null: as the service keeps it.
create table public.retention (
  tenant_id uuid primary key references public.tenants on delete cascade,
  jobs_days integer check (jobs_days >= 1),              -- ended jobs: prompts and answers; batches
  cache_days integer check (cache_days >= 1),            -- answers that may be served again
  ledger_days integer check (ledger_days >= 1),          -- what providers said beside the figures; the figures stay
  files_days integer check (files_days >= 1),
  deliveries_days integer check (deliveries_days >= 1)   -- of webhooks
);

-- An export or an erasure that was asked for, and how it stands. Done erasures stay: they are the receipts.
create table public.data_requests (
  id uuid not null,                       -- version 7: sorts by creation
  tenant_id uuid not null references public.tenants on delete cascade,
  kind text not null check (kind in ('export', 'erasure')),
  status text not null default 'queued' check (status in ('queued', 'in_progress', 'completed', 'failed')),
  scope jsonb not null default '{}',      -- of an erasure: everything, tag, job_ids or before
  requested_by text not null,             -- as the audit log names them
  counts jsonb not null default '{}',     -- rows by table: exported, or erased
  step integer not null default 0,        -- of an erasure, counted from 0; all before it are done
  after text not null default '',         -- where within the step; empty: at its begin
  file_id uuid,                           -- of an export, the file that it writes
  sha256 text,                            -- of an export's file; of an erasure's receipt
  error text,                             -- why it failed
  created_at timestamptz not null default now(),
  started_at timestamptz,
  finished_at timestamptz,
  attempts integer not null default 0,    -- claims
  step_at timestamptz not null default now(),  -- when its next step is due
  fence bigint not null default 0,        -- grows with each claim; an older holder changes nothing
  lease_until timestamptz,
  primary key (tenant_id, id)
);
create unique index data_requests_open on public.data_requests (tenant_id, kind) where finished_at is null;
create index data_requests_due on public.data_requests (step_at) where finished_at is null;

alter table public.files drop constraint files_purpose_check;
alter table public.files add constraint files_purpose_check check (purpose in ('batch', 'batch_output', 'export'));

-- Whose answer an answer from the cache is a copy of, so that it can be erased with that job.
alter table public.jobs add column served_from uuid;
create index jobs_served_from on public.jobs (tenant_id, served_from) where served_from is not null;
-- What else is found by its job, or by its age within a tenant.
create index cache_entries_job on public.cache_entries (tenant_id, job_id);
create index cache_entries_age on public.cache_entries (tenant_id, created_at);
create index idempotency_keys_job on public.idempotency_keys (tenant_id, job_id);
create index webhook_deliveries_job on public.webhook_deliveries (tenant_id, job_id) where job_id is not null;
create index webhook_deliveries_of_tenant on public.webhook_deliveries (tenant_id, begun_at);
drop index public.webhook_deliveries_age;
create index batches_of_tenant on public.batches (tenant_id, finished_at);
drop index public.batches_age;
create index ledger_attempts_bodies on public.ledger_attempts (tenant_id, at)
  where usage_raw is not null or error is not null;
drop index public.jobs_created;  -- the primary key serves: ids of version 7 sort by creation

do $$
declare
  noun text;
begin
  foreach noun in array array['retention', 'data_requests'] loop
    execute format('alter table public.%I enable row level security', noun);
    execute format('alter table public.%I force row level security', noun);
    execute format(
      'create policy member_reads on public.%I for select to authenticated
         using (tenant_id = any (array(select private.my_tenants())))', noun);
    execute format(
      'create policy service_works on public.%I for all to aico_service
         using (tenant_id = any (array(select private.service_tenants())))
         with check (tenant_id = any (array(select private.service_tenants())))', noun);
    execute format('revoke all on public.%I from public, anon, authenticated', noun);
    -- Not to members: what concerns all of a tenant's data is for its owners, whom the API knows from the others.
    execute format('grant select, insert, update, delete on public.%I to aico_service', noun);
  end loop;
end $$;

-- Nor may other members read an export piece by piece: it holds more than they may see.
alter policy member_reads on public.file_chunks using (
  tenant_id = any (array(select private.my_tenants())) and exists (
    select from public.files f
    where f.tenant_id = file_chunks.tenant_id and f.id = file_chunks.file_id and f.purpose <> 'export'
  ));

-- As before, with the tenant's policy on personal data.
drop function private.authenticate_key(bytea);
create function private.authenticate_key(key_hash bytea)
returns table (key_id uuid, tenant_id uuid, scopes text[], models text[], cache_mode text, pii text,
  valid_for double precision)
language sql stable security definer set search_path = '' as $$
  select k.id, k.tenant_id, k.scopes, k.models, t.cache_mode, t.pii,
    extract(epoch from least(k.expires_at, case when k.old_hash = key_hash then k.old_hash_until end) - now())
  from public.api_keys k
  join public.tenants t on t.id = k.tenant_id
  where (k.hash = key_hash or k.old_hash = key_hash and k.old_hash_until > now())
    and k.revoked_at is null and (k.expires_at is null or k.expires_at > now())
$$;

-- The lowest id of version 7 that can have been made at this time.
create function private.first_id_at(moment timestamptz) returns uuid
language sql stable set search_path = '' as $$
  select (lpad(to_hex(floor(extract(epoch from moment) * 1000)::bigint), 12, '0') || '70008000000000000000')::uuid
$$;

-- Counts of rows by table, with some more of one.
create function private.counted(counts jsonb, noun text, more bigint) returns jsonb
language sql immutable set search_path = '' as $$
  select counts || jsonb_build_object(noun, coalesce((counts ->> noun)::bigint, 0) + more)
$$;

-- Requests whose next step is due and that nobody is at; only ids, for the sweeper to ring. O(batch_size).
create function private.due_data_requests(batch_size integer) returns table (tenant_id uuid, request_id uuid)
language sql stable security definer set search_path = '' as $$
  select d.tenant_id, d.id from public.data_requests d
  where d.finished_at is null and d.step_at <= now() and (d.lease_until is null or d.lease_until < now())
  order by d.step_at limit batch_size
$$;

-- As before; an export that has not ended writes its file too.
create or replace function private.in_use(tenant uuid, file uuid) returns boolean
language sql stable set search_path = '' as $$
  select exists (
    select from public.batches b
    where b.tenant_id = tenant and b.finished_at is null and file in (b.input_file_id, b.output_file_id, b.error_file_id)
  ) or exists (
    select from public.data_requests d where d.tenant_id = tenant and d.finished_at is null and d.file_id = file
  )
$$;

-- An attempt of a job that is gone keeps its figures and nothing else: an answer that comes after an erasure must leave
-- no words. The lock makes whoever erases the job wait for the attempt, or the attempt for them.
create function private.strip_orphan() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  perform from public.jobs j where j.tenant_id = new.tenant_id and j.id = new.job_id for key share;
  if not found then
    new.usage_raw := null;
    new.error := null;
    new.assignment_unit := null;
  end if;
  return new;
end $$;
create trigger strip_orphan before insert on public.ledger_outbox for each row
  when (new.usage_raw is not null or new.error is not null or new.assignment_unit is not null)
  execute function private.strip_orphan();

-- Takes from booked attempts of these jobs all but the figures: for its own tenants a service may do that, and nothing
-- else to the ledger. Returns how many.
create function private.erase_ledger_of(tenant uuid, jobs uuid[]) returns bigint
language sql volatile security definer set search_path = '' as $$
  with bare as (
    update public.ledger_attempts l set usage_raw = null, error = null, assignment_unit = null
    where l.tenant_id = tenant and l.job_id = any (jobs)
      and tenant in (select private.service_tenants())
      and (l.usage_raw is not null or l.error is not null or l.assignment_unit is not null)
    returning 1
  )
  select count(*) from bare
$$;

-- Likewise of all jobs, for the next attempts after a place, in the ledger's order. `reached` is null at the end.
create function private.erase_ledger_after(tenant uuid, place text, batch_size integer)
returns table (erased bigint, reached text)
language sql volatile security definer set search_path = '' as $$
  with page as (
    select l.at, l.id, l.usage_raw is not null or l.error is not null or l.assignment_unit is not null as full
    from public.ledger_attempts l
    where l.tenant_id = tenant and tenant in (select private.service_tenants())
      and (place = '' or (l.at, l.id) > (split_part(place, '|', 1)::timestamptz, split_part(place, '|', 2)::uuid))
    order by l.at, l.id limit batch_size
  ),
  bare as (
    update public.ledger_attempts l set usage_raw = null, error = null, assignment_unit = null
    from page p where l.tenant_id = tenant and l.at = p.at and l.id = p.id and p.full
    returning 1
  )
  select (select count(*) from bare), case when (select count(*) from page) = batch_size
    then (select p.at::text || '|' || p.id::text from page p order by p.at desc, p.id desc limit 1) end
$$;

-- Live updates that were sent about this tenant and are still kept. Returns how many.
create function private.erase_realtime(tenant uuid) returns bigint
language plpgsql volatile security definer set search_path = '' as $$
declare
  erased bigint := 0;
begin
  if tenant in (select private.service_tenants()) and to_regclass('realtime.messages') is not null
    and has_table_privilege('realtime.messages', 'delete') and has_table_privilege('realtime.messages', 'select')
  then
    delete from realtime.messages m where split_part(m.topic, ':', 1) = 'tenant' and split_part(m.topic, ':', 2) = tenant::text;
    get diagnostics erased = row_count;
  end if;
  return erased;
end $$;

revoke execute on all functions in schema public, private from public, anon, authenticated;
grant execute on all functions in schema private to aico_service;
grant execute on function private.my_tenants() to authenticated;
revoke execute on function private.my_tenants() from aico_service;
grant execute on function public.match_cache_entries, public.get_user_cache_stats to authenticated, aico_service;
