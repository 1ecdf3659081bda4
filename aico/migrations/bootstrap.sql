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
-- Migrations make policies on it, which the hosted `postgres` role may do without owning it.
alter table realtime.messages owner to aico_owner;

-- What a channel's reader asks for; Realtime sets it for the transaction in which it asks the policies.
create or replace function realtime.topic() returns text
language sql stable set search_path = '' as $$
  select nullif(current_setting('realtime.topic', true), '')
$$;

do $$
begin
  if not exists (select from pg_publication where pubname = 'supabase_realtime') then
    create publication supabase_realtime;
  end if;
end $$;
