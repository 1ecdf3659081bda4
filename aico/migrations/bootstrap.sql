-- What every hosted Supabase project already has, for a plain Postgres: roles, schemas, the vector extension, the auth
-- functions that policies call, and the realtime objects that later migrations may use. Run as superuser, idempotent,
-- and never on a hosted project.
do $$
begin
  if exists (select from pg_roles where rolname = 'supabase_auth_admin') then
    raise exception 'this is a Supabase project: it needs no bootstrap, run the migrations alone';
  end if;
end $$;

do $$
declare
  wanted record;
begin
  for wanted in
    select * from (values
      ('anon', 'nologin noinherit'),
      ('authenticated', 'nologin noinherit'),
      ('service_role', 'nologin noinherit bypassrls'),
      ('authenticator', 'nologin noinherit'),
      -- Logs in for the local stand-in for Supabase Auth, once it is given a password, and sees the tables of auth alone.
      ('aico_auth', 'nologin noinherit'),
      -- Likewise for the stand-in for Supabase Realtime, which asks as anon or authenticated what somebody may see.
      ('aico_realtime', 'nologin noinherit'),
      -- Stands for the hosted `postgres` role: it owns what migrations make and is no superuser.
      ('aico_owner', 'nologin createrole bypassrls')
    ) as roles (name, attributes)
  loop
    if not exists (select from pg_roles where rolname = wanted.name) then
      execute format('create role %I %s', wanted.name, wanted.attributes);
    end if;
  end loop;
end $$;

grant anon, authenticated, service_role to authenticator;
grant anon, authenticated to aico_realtime;
grant authenticated to aico_owner with admin option;

create schema if not exists extensions;
create schema if not exists auth;
create schema if not exists realtime;
create extension if not exists vector with schema extensions;

do $$
begin
  execute format('grant create on database %I to aico_owner', current_database());
end $$;
grant usage, create on schema public to aico_owner;
grant usage on schema public, extensions, auth, realtime to anon, authenticated, service_role, aico_owner with grant option;

create table if not exists auth.users (
  id uuid primary key default gen_random_uuid(),
  email text,
  created_at timestamptz not null default now()
);
alter table auth.users
  add column if not exists aud text not null default 'authenticated',
  add column if not exists role text not null default 'authenticated',
  add column if not exists encrypted_password text,
  add column if not exists email_confirmed_at timestamptz,
  add column if not exists last_sign_in_at timestamptz,
  add column if not exists raw_app_meta_data jsonb not null default '{}',
  add column if not exists raw_user_meta_data jsonb not null default '{}',
  add column if not exists is_anonymous boolean not null default false,
  add column if not exists banned_until timestamptz,
  add column if not exists updated_at timestamptz not null default now(),
  drop constraint if exists users_email_key;  -- it told Ann@example.com from ann@example.com
create unique index if not exists users_email on auth.users (lower(email));
grant select, references on auth.users to aico_owner;

-- One row for each sign-in. It ends with the sign-out, and all its tokens with it.
create table if not exists auth.sessions (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users on delete cascade,
  created_at timestamptz not null default now()
);
create index if not exists sessions_user on auth.sessions (user_id);
grant select on auth.sessions to aico_owner;

create table if not exists auth.refresh_tokens (
  token_hash bytea primary key check (length(token_hash) = 32),  -- sha256
  session_id uuid not null references auth.sessions on delete cascade,
  created_at timestamptz not null default now(),
  used_at timestamptz  -- when it was first exchanged for its successor
);
create index if not exists refresh_tokens_session on auth.refresh_tokens (session_id);

do $$
declare
  noun text;
begin
  foreach noun in array array['users', 'sessions', 'refresh_tokens'] loop
    execute format('alter table auth.%I enable row level security', noun);
    if not exists (select from pg_policy where polname = 'auth_works' and polrelid = format('auth.%I', noun)::regclass) then
      execute format('create policy auth_works on auth.%I for all to aico_auth using (true) with check (true)', noun);
    end if;
    execute format('grant select, insert, update, delete on auth.%I to aico_auth', noun);
  end loop;
end $$;
-- Of extensions, the driver reads the vector type's oid.
grant usage on schema auth, extensions to aico_auth;
alter role aico_auth set search_path = extensions;

create or replace function auth.jwt() returns jsonb
language sql stable set search_path = '' as $$
  select nullif(current_setting('request.jwt.claims', true), '')::jsonb
$$;
create or replace function auth.uid() returns uuid
language sql stable set search_path = '' as $$
  select (auth.jwt() ->> 'sub')::uuid
$$;
create or replace function auth.role() returns text
language sql stable set search_path = '' as $$
  select auth.jwt() ->> 'role'
$$;

create table if not exists realtime.messages (
  id uuid primary key default gen_random_uuid(),
  topic text not null,
  extension text not null,
  event text,
  payload jsonb,
  private boolean not null default false,
  inserted_at timestamp not null default now(),
  updated_at timestamp not null default now()
);
alter table realtime.messages enable row level security;
grant select, insert on realtime.messages to authenticated;
-- Whatever the time zone of the session that sends.
alter table realtime.messages alter column inserted_at set default now() at time zone 'utc';
-- Migrations make policies on it, which the hosted `postgres` role may do without owning it.
alter table realtime.messages owner to aico_owner;

-- What a channel's reader asks for; Realtime sets it for the transaction in which it asks the policies.
create or replace function realtime.topic() returns text
language sql stable set search_path = '' as $$
  select nullif(current_setting('realtime.topic', true), '')
$$;

-- Sends to a topic what its channels hear once the transaction commits. A message that cannot be sent is a warning and
-- not an error: what is told about a change never undoes the change.
create or replace function realtime.send(payload jsonb, event text, topic text, private boolean default true) returns void
language plpgsql as $$
declare
  message uuid := gen_random_uuid();
begin
  perform set_config('realtime.topic', topic, true);
  insert into realtime.messages (id, topic, extension, event, payload, private)
  values (message, topic, 'broadcast', event, jsonb_build_object('id', message) || payload, private);
exception when others then
  raise warning 'WarnSendingBroadcastMessage: %', sqlerrm;
end $$;

-- For row triggers: what changed, in the shape of a change that Realtime itself reports.
create or replace function realtime.broadcast_changes(
  topic_name text, event_name text, operation text, table_name text, table_schema text, new record, old record,
  level text default 'ROW'
) returns void
language plpgsql as $$
begin
  if level = 'STATEMENT' then
    raise exception 'broadcast_changes is for triggers on each row, not on each statement';
  end if;
  perform realtime.send(
    jsonb_build_object('schema', table_schema, 'table', table_name, 'operation', operation, 'record', new, 'old_record', old),
    event_name, topic_name);
end $$;

-- Wakes the stand-in, and takes away what it has read: it reads the log of the database, where a message stays for it.
create or replace function realtime.after_messages() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  perform pg_notify('aico_realtime', '');
  delete from realtime.messages m where m.id in (
    select o.id from realtime.messages o where o.inserted_at < now() at time zone 'utc' - interval '1 minute'
    order by o.inserted_at limit 1000 for update skip locked);
  return null;
end $$;
create index if not exists messages_age on realtime.messages (inserted_at);
create or replace trigger after_messages after insert on realtime.messages
  for each statement execute function realtime.after_messages();

do $$
begin
  if not exists (select from pg_publication where pubname = 'supabase_realtime') then
    create publication supabase_realtime;
  end if;
  if not exists (select from pg_publication where pubname = 'supabase_realtime_messages_publication') then
    create publication supabase_realtime_messages_publication for table realtime.messages with (publish = 'insert');
  end if;
end $$;
alter publication supabase_realtime owner to aico_owner;  -- migrations add tables to it

-- How the stand-in reads changes: of what is published, and of nothing else. A role that may read the log by itself
-- (REPLICATION) could read every table. The slot goes with the session that opened it.
create or replace function realtime.open_changes(slot name) returns void
language plpgsql security definer set search_path = '' set log_min_messages = fatal as $$
begin
  perform pg_create_logical_replication_slot(slot, 'pgoutput', true);
end $$;
create or replace function realtime.read_changes(slot name, most integer) returns setof bytea
language sql volatile security definer set search_path = '' set log_min_messages = fatal as $$
  select data from pg_logical_slot_get_binary_changes(slot, null, most, 'proto_version', '1',
    'publication_names', 'supabase_realtime,supabase_realtime_messages_publication')
$$;
-- Each reading begins where the log was last seen with all that was open, and Postgres notes that only every 15 seconds:
-- under load, tens of megabytes would be read again each time. Postgres 15 cannot be asked to note it.
create or replace function realtime.trim_changes(slot name) returns void
language plpgsql volatile security definer set search_path = '' set log_min_messages = fatal as $$
begin
  if to_regprocedure('pg_catalog.pg_log_standby_snapshot()') is not null and exists (
    select from pg_replication_slots s where s.slot_name = slot and pg_current_wal_lsn() - s.restart_lsn > 1000000
  ) then
    perform pg_log_standby_snapshot();
  end if;
end $$;
-- To ask whether somebody may hear a topic the stand-in puts a row there, looks at it as that person, and takes it back.
create or replace function realtime.put_probe(topic text) returns uuid
language sql volatile security definer set search_path = '' as $$
  insert into realtime.messages (topic, extension, private) values (topic, 'broadcast', true) returning id
$$;
create or replace function realtime.signed_in(sign_in uuid, person uuid) returns boolean
language sql stable security definer set search_path = '' as $$
  select exists (select from auth.sessions s where s.id = sign_in and s.user_id = person)
$$;

-- The role of the stand-in has these functions and no table.
do $$
declare
  call text;
begin
  foreach call in array array['open_changes(name)', 'read_changes(name, integer)', 'trim_changes(name)',
    'put_probe(text)', 'signed_in(uuid, uuid)'] loop
    execute format('revoke execute on function realtime.%s from public', call);
    execute format('grant execute on function realtime.%s to aico_realtime', call);
  end loop;
end $$;
revoke execute on function realtime.after_messages() from public;
grant usage on schema realtime to aico_realtime;
alter role aico_realtime set search_path = '';
