-- Tenants, the people and keys that act for them, and the two roles of the service:
--   aico_app      logs in, owns nothing, inherits nothing: without choosing a role it can do nothing at all;
--   aico_service  is what it becomes inside a transaction, for the tenants that the transaction names.
create schema if not exists private;

do $$
begin
  if not exists (select from pg_roles where rolname = 'aico_service') then
    create role aico_service nologin noinherit;
  end if;
  if not exists (select from pg_roles where rolname = 'aico_app') then
    create role aico_app nologin noinherit;
  end if;
end $$;
grant aico_service, authenticated to aico_app;
alter role aico_app set search_path = public, extensions;
grant usage on schema public, private, extensions to aico_service;
grant usage on schema public, private to authenticated;
-- The driver reads the vector type's oid before it has chosen a role.
grant usage on schema extensions to aico_app;

create table public.tenants (
  id uuid primary key default gen_random_uuid(),
  name text not null unique check (length(name) between 1 and 200),
  baseline_model text,                    -- null: the service's default
  similarity_threshold real check (similarity_threshold between 0 and 1),
  created_at timestamptz not null default now()
);

create table public.members (
  tenant_id uuid not null references public.tenants on delete cascade,
  user_id uuid not null references auth.users on delete cascade,
  role text not null check (role in ('owner', 'admin', 'member', 'viewer')),
  created_at timestamptz not null default now(),
  primary key (tenant_id, user_id)
);
create index members_user on public.members (user_id);

create table public.api_keys (
  id uuid primary key,
  tenant_id uuid not null references public.tenants on delete cascade,
  name text not null check (length(name) between 1 and 200),
  prefix text not null,                   -- the first characters, to recognise a key by
  hash bytea not null unique check (length(hash) = 32),  -- sha256 of the whole key
  scopes text[] not null default '{}',
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  revoked_at timestamptz
);
create index api_keys_tenant on public.api_keys (tenant_id, created_at);

-- The tenants of the signed-in user. An array built from it is an index condition; a per-row call would not be.
create function private.my_tenants() returns setof uuid
language sql stable security definer set search_path = '' as $$
  select m.tenant_id from public.members m where m.user_id = (select auth.uid())
$$;

-- The tenants that the service named for this transaction; none when it forgot to.
create function private.service_tenants() returns setof uuid
language sql stable set search_path = '' as $$
  select unnest(string_to_array(nullif(current_setting('aico.tenants', true), ''), ',')::uuid[])
$$;

-- Who holds this key? Asked before any tenant is known, so it sees all keys, and tells only of the one that matches.
create function private.authenticate_key(key_hash bytea)
returns table (key_id uuid, tenant_id uuid, scopes text[])
language sql stable security definer set search_path = '' as $$
  select k.id, k.tenant_id, k.scopes
  from public.api_keys k
  where k.hash = key_hash and k.revoked_at is null and (k.expires_at is null or k.expires_at > now())
$$;

-- For the operator's command line, which knows tenants by name.
create function private.tenant_by_name(tenant_name text)
returns table (id uuid, name text, created_at timestamptz)
language sql stable security definer set search_path = '' as $$
  select t.id, t.name, t.created_at from public.tenants t where t.name = tenant_name
$$;
