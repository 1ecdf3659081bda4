-- Who acts for a tenant: keys that are limited to models and change their secrets, invitations, and tenants that users
-- make themselves.

-- `name` is what the operator calls a tenant, unique and known to the command line alone. Users give a display name,
-- which need not be unique: whether another tenant has it is nobody's business.
alter table public.tenants
  add column display_name text check (length(display_name) between 1 and 200),
  add column made_by uuid references auth.users on delete set null,  -- null: the operator
  add column personal boolean not null default false;  -- made at its maker's first sign-in
create unique index tenants_personal on public.tenants (made_by) where personal;
create index tenants_made_by on public.tenants (made_by) where made_by is not null;

-- A key keeps its id when its secret changes, and with it whatever is counted or limited by that id.
alter table public.api_keys
  add column models text[] check (cardinality(models) > 0),  -- which may answer; null: all
  add column created_by text not null default 'operator',
  add column last_used_at timestamptz,                        -- half a minute late at most
  add column rotated_at timestamptz,
  add column old_hash bytea unique check (length(old_hash) = 32),  -- of the secret before, which works until then
  add column old_hash_until timestamptz,
  add check ((old_hash is null) = (old_hash_until is null));
drop index public.api_keys_tenant;
create index api_keys_tenant on public.api_keys (tenant_id, id);
grant select (models, created_by, last_used_at, rotated_at) on public.api_keys to authenticated;

create table public.invitations (
  id uuid not null,
  tenant_id uuid not null references public.tenants on delete cascade,
  email text not null check (length(email) between 3 and 320),
  role text not null check (role in ('owner', 'admin', 'member', 'viewer')),
  hash bytea not null unique check (length(hash) = 32),  -- sha256 of the token, which is shown once
  created_by text not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  accepted_at timestamptz,
  accepted_by uuid references auth.users on delete set null,
  revoked_at timestamptz,
  primary key (tenant_id, id)
);
create index invitations_accepted_by on public.invitations (accepted_by) where accepted_by is not null;
create index audit_log_id on public.audit_log (tenant_id, id);

alter table public.invitations enable row level security;
alter table public.invitations force row level security;
create policy member_reads on public.invitations for select to authenticated
  using (tenant_id = any (array(select private.my_tenants())));
create policy service_works on public.invitations for all to aico_service
  using (tenant_id = any (array(select private.service_tenants())))
  with check (tenant_id = any (array(select private.service_tenants())));
revoke all on public.invitations from public, anon, authenticated;
grant select, insert, update, delete on public.invitations to aico_service;

-- Who did what is for those who administer a tenant, by whatever way it is read.
alter policy member_reads on public.audit_log using (tenant_id = any (array(
  select m.tenant_id from public.members m
  where m.user_id = (select auth.uid()) and m.role in ('owner', 'admin')
)));

-- Who holds this key? `valid_for` are the seconds until this very secret stops working; null: it does not.
drop function private.authenticate_key(bytea);
create function private.authenticate_key(key_hash bytea)
returns table (key_id uuid, tenant_id uuid, scopes text[], models text[], cache_mode text, valid_for double precision)
language sql stable security definer set search_path = '' as $$
  select k.id, k.tenant_id, k.scopes, k.models, t.cache_mode,
    extract(epoch from least(k.expires_at, case when k.old_hash = key_hash then k.old_hash_until end) - now())
  from public.api_keys k
  join public.tenants t on t.id = k.tenant_id
  where (k.hash = key_hash or k.old_hash = key_hash and k.old_hash_until > now())
    and k.revoked_at is null and (k.expires_at is null or k.expires_at > now())
$$;

-- A tenant that a user makes, with him as its owner; the caller has verified who he is. A user has one personal tenant,
-- however many of his requests ask for it at once, and no more than `most` in all. No row: he has that many, or there
-- is no such user. What he is in his personal tenant by now, he stays.
create function private.make_tenant(
  tenant uuid, maker uuid, title text, tenant_plan text, for_himself boolean, most integer
) returns table (tenant_id uuid)
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform pg_advisory_xact_lock(hashtextextended(maker::text, 20261126));
  if not exists (select from auth.users u where u.id = maker)
    or for_himself and exists (select from public.tenants t where t.made_by = maker and t.personal)
    or (select count(*) from public.tenants t where t.made_by = maker) >= most
  then
    return;
  end if;
  insert into public.tenants (id, name, display_name, made_by, personal, plan)
  values (tenant, tenant::text, title, maker, for_himself, tenant_plan);
  insert into public.members values (tenant, maker, 'owner');
  insert into public.audit_log (tenant_id, actor, action, subject, detail)
  values (tenant, 'user:' || maker, 'tenant.created', tenant::text,
    jsonb_build_object('personal', for_himself, 'plan', tenant_plan));
  return query select tenant;
end $$;

-- Makes a user a member by the token that was sent to his address. It works once, for whoever comes first. No row: it
-- is not known, over, taken back, used, or another's. Who is a member already keeps his role.
create function private.accept_invitation(token_hash bytea, invitee uuid, address text)
returns table (tenant_id uuid)
language sql volatile security definer set search_path = '' as $$
  with accepted as (
    update public.invitations i set accepted_at = now(), accepted_by = u.id
    from auth.users u
    where i.hash = token_hash and i.accepted_at is null and i.revoked_at is null and i.expires_at > now()
      and lower(i.email) = lower(address) and u.id = invitee
    returning i.tenant_id, i.id, i.role, u.id as user_id
  ),
  joined as (
    insert into public.members as m (tenant_id, user_id, role)
    select a.tenant_id, a.user_id, a.role from accepted a
    on conflict on constraint members_pkey do nothing
  ),
  noted as (
    insert into public.audit_log (tenant_id, actor, action, subject, detail)
    select a.tenant_id, 'user:' || a.user_id, 'invitation.accepted', a.id::text, jsonb_build_object('role', a.role)
    from accepted a
  )
  select a.tenant_id from accepted a
$$;

-- The addresses of a tenant's members; of the tenant that the service acts for and of no other.
create function private.member_emails(tenant uuid) returns table (user_id uuid, email text)
language sql stable security definer set search_path = '' as $$
  select u.id, u.email::text
  from public.members m
  join auth.users u on u.id = m.user_id
  where m.tenant_id = tenant and m.tenant_id = any (array(select private.service_tenants()))
$$;

-- For the operator's command line: users by address or id, all tenants, and a tenant by its name or id.
create function private.users_called(who text) returns table (id uuid, email text)
language sql stable security definer set search_path = '' as $$
  select u.id, u.email::text from auth.users u where lower(u.email) = lower(who) or u.id::text = lower(who)
$$;
create function private.all_tenants(after uuid, batch_size integer)
returns table (id uuid, name text, display_name text, plan text, personal boolean, members bigint, created_at timestamptz)
language sql stable security definer set search_path = '' as $$
  select t.id, t.name, t.display_name, t.plan, t.personal,
    (select count(*) from public.members m where m.tenant_id = t.id), t.created_at
  from public.tenants t where after is null or t.id > after
  order by t.id limit batch_size
$$;
create or replace function private.tenant_by_name(tenant_name text)
returns table (id uuid, name text, created_at timestamptz)
language sql stable security definer set search_path = '' as $$
  select t.id, t.name, t.created_at from public.tenants t
  where t.name = tenant_name or t.id::text = lower(tenant_name)
$$;

revoke execute on all functions in schema public, private from public, anon, authenticated;
grant execute on all functions in schema private to aico_service;
grant execute on function private.my_tenants() to authenticated;
revoke execute on function private.my_tenants() from aico_service;
grant execute on function public.match_cache_entries, public.get_user_cache_stats to authenticated, aico_service;
