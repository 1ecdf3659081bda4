-- Files, in chunks, and batches: a file of requests in, files of results out.
create table public.files (
  id uuid not null,                       -- version 7: sorts by creation
  tenant_id uuid not null references public.tenants on delete cascade,
  filename text not null,
  purpose text not null check (purpose in ('batch', 'batch_output')),
  bytes bigint not null default 0,
  complete boolean not null default false,  -- nobody sees it before
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,        -- of one that is being written: when it counts as left behind
  primary key (tenant_id, id)
);
create index files_expiry on public.files (expires_at);

create table public.file_chunks (
  tenant_id uuid not null,
  file_id uuid not null,
  position bigint not null,               -- of its first byte in the file
  data bytea not null,
  primary key (tenant_id, file_id, position),
  foreign key (tenant_id, file_id) references public.files (tenant_id, id) on delete cascade
);
alter table public.file_chunks alter column data set storage external;  -- not compressed: read as it was written

alter table public.batches
  add column api_key_id uuid,
  add column endpoint text not null,
  add column completion_window text not null,
  add column deadline timestamptz not null,
  add column output_ttl_seconds integer not null,  -- of the files of results, from their creation
  add column input_file_id uuid not null,
  add column output_file_id uuid,
  add column error_file_id uuid,
  add column errors jsonb not null default '[]',  -- why it failed: {code, message, param, line}
  add column ending text check (ending in ('completed', 'expired', 'cancelled')),  -- what it will be once it is written
  add column in_progress_at timestamptz,
  add column cancelling_at timestamptz,
  add column finalizing_at timestamptz,
  add column read_bytes bigint not null default 0,   -- how much of the input has become jobs, or faults
  add column read_lines integer not null default 0,
  add column read_at timestamptz,                    -- when all of it had
  add column written_line integer not null default 0,  -- the last line whose result has been written
  add column input_tokens bigint not null default 0,   -- of the results that have been
  add column cached_tokens bigint not null default 0,
  add column output_tokens bigint not null default 0,
  add column reasoning_tokens bigint not null default 0,
  add column step_at timestamptz not null default now(),  -- when its next step is due
  add column moved_at timestamptz not null default now(),  -- when its counts last changed
  add column fence bigint not null default 0,  -- grows with each claim; an older holder changes nothing
  add column lease_until timestamptz;
create index batches_due on public.batches (step_at) where finished_at is null;
create index batches_open on public.batches (tenant_id) where finished_at is null;
create index batches_age on public.batches (finished_at);

-- Lines that became no job: what was asked for cannot be answered, or the batch had ended before their turn came.
create table public.batch_faults (
  tenant_id uuid not null,
  batch_id uuid not null,
  line integer not null,
  custom_id text not null,
  status smallint,                        -- as if it had been sent alone; null: nobody looked at it
  error jsonb not null,
  primary key (tenant_id, batch_id, line),
  foreign key (tenant_id, batch_id) references public.batches (tenant_id, id) on delete cascade
);

do $$
declare
  noun text;
begin
  foreach noun in array array['files', 'file_chunks', 'batch_faults'] loop
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
    execute format('grant select, insert, update, delete on public.%I to aico_service', noun);
    execute format('grant select on public.%I to authenticated', noun);
  end loop;
end $$;

-- Whether a batch that has not ended reads or writes this file.
create function private.in_use(tenant uuid, file uuid) returns boolean
language sql stable set search_path = '' as $$
  select exists (
    select from public.batches b
    where b.tenant_id = tenant and b.finished_at is null and file in (b.input_file_id, b.output_file_id, b.error_file_id)
  )
$$;

-- Makes a delivery for each enabled endpoint that wants to hear of the end of a batch, in OpenAI's shape: ids, never
-- what was asked or answered. The caller rings.
create function private.announce_batch(tenant uuid, batch uuid, batch_status text) returns setof uuid
language sql volatile set search_path = '' as $$
  insert into public.webhook_deliveries (tenant_id, endpoint_id, event, payload)
  select e.tenant_id, e.id, event.type, event.payload
  from (
    select 'batch.' || batch_status as type, jsonb_build_object(
      'id', 'evt_' || replace(gen_random_uuid()::text, '-', ''), 'object', 'event',
      'created_at', floor(extract(epoch from now()))::bigint, 'type', 'batch.' || batch_status,
      'data', jsonb_build_object('id', 'batch_' || replace(batch::text, '-', ''))) as payload
  ) event
  join public.webhook_endpoints e on e.tenant_id = tenant
  where e.enabled and (e.events = '{}' or event.type = any (e.events))
  for key share of e
  returning id
$$;

-- Batches whose next step is due and that nobody is at; only ids, for the sweeper to ring. O(batch_size).
create function private.due_batches(batch_size integer) returns table (tenant_id uuid, batch_id uuid)
language sql stable security definer set search_path = '' as $$
  select b.tenant_id, b.id from public.batches b
  where b.finished_at is null and b.step_at <= now() and (b.lease_until is null or b.lease_until < now())
  order by b.step_at limit batch_size
$$;

-- Deletes files that have expired, or were left half written, with their chunks. Returns how many.
create function private.purge_files(batch_size integer) returns bigint
language sql volatile security definer set search_path = '' as $$
  with purged as (
    delete from public.files f
    using (
      select l.tenant_id, l.id from public.files l
      where l.expires_at < now() and not private.in_use(l.tenant_id, l.id)
      order by l.expires_at limit batch_size for update skip locked
    ) old
    where f.tenant_id = old.tenant_id and f.id = old.id
    returning 1
  )
  select count(*) from purged
$$;

-- Deletes batches that ended longer ago than they are kept, once their jobs are gone. Returns how many.
create function private.purge_batches(kept interval, batch_size integer) returns bigint
language sql volatile security definer set search_path = '' as $$
  with purged as (
    delete from public.batches b
    using (
      select l.tenant_id, l.id from public.batches l
      where l.finished_at < now() - kept
        and not exists (select from public.jobs j where j.tenant_id = l.tenant_id and j.batch_id = l.id)
      order by l.finished_at limit batch_size for update skip locked
    ) old
    where b.tenant_id = old.tenant_id and b.id = old.id
    returning 1
  )
  select count(*) from purged
$$;

-- As before, but a line of a batch is kept until the batch has ended: its result is still to be written.
create or replace function private.purge_jobs(kept interval, batch_size integer) returns bigint
language sql volatile security definer set search_path = '' as $$
  with old as (
    delete from public.jobs j
    using (
      select l.tenant_id, l.id from public.jobs l
      where l.created_at < now() - kept and l.finished_at < now() - kept
        and not exists (
          select from public.batches b
          where b.tenant_id = l.tenant_id and b.id = l.batch_id and b.finished_at is null
        )
      limit batch_size for update skip locked
    ) l
    where j.tenant_id = l.tenant_id and j.id = l.id
    returning 1
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
grant execute on function private.my_tenants() to authenticated;
revoke execute on function private.my_tenants() from aico_service;
grant execute on function public.match_cache_entries, public.get_user_cache_stats to authenticated, aico_service;
