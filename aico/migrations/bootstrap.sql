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
  email text unique,
  created_at timestamptz not null default now()
);
alter table auth.users enable row level security;
grant references on auth.users to aico_owner;

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
grant select, delete on realtime.messages to aico_owner;

do $$
begin
  if not exists (select from pg_publication where pubname = 'supabase_realtime') then
    create publication supabase_realtime;
  end if;
end $$;
