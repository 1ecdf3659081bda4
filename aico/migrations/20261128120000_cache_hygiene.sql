-- How long answers are kept and how many of them, and what is kept, without ever counting it.
alter table public.tenants
  -- Personal questions of a user that the caller names: his alone, or neither read nor kept.
  add column cache_personal text not null default 'user' check (cache_personal in ('user', 'never')),
  add column cache_max_entries integer check (cache_max_entries > 0);  -- at most the service's; null: that

alter table public.cache_entries add column bytes integer generated always as (octet_length(answer::text)) stored;
-- Least recently used first.
create index cache_entries_used on public.cache_entries (tenant_id, coalesce(hit_at, created_at));
-- Oldest first, of one namespace.
create index cache_entries_of_namespace on public.cache_entries (tenant_id, namespace, created_at);

alter table public.cache_namespaces
  add column ttl_seconds integer check (ttl_seconds between 1 and 315360000),  -- null: the tenant's, or the service's
  add column entries bigint not null default 0,
  add column bytes bigint not null default 0;
create index cache_namespaces_ttl on public.cache_namespaces (tenant_id) where ttl_seconds is not null;

-- What a tenant keeps, all namespaces together.
create table public.cache_sizes (
  tenant_id uuid primary key references public.tenants on delete cascade,
  entries bigint not null default 0,
  bytes bigint not null default 0
);

do $$
declare
  noun text;
begin
  foreach noun in array array['cache_sizes'] loop
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

insert into public.cache_namespaces as n (tenant_id, namespace, entries, bytes)
select tenant_id, namespace, count(*), sum(bytes) from public.cache_entries group by tenant_id, namespace
on conflict (tenant_id, namespace) do update set entries = excluded.entries, bytes = excluded.bytes;
insert into public.cache_sizes (tenant_id, entries, bytes)
select tenant_id, count(*), sum(bytes) from public.cache_entries group by tenant_id;

-- What was added and taken away since it was last added up. Rows are only appended, so that nobody waits for anybody.
create table private.cache_changes (
  at timestamptz not null default clock_timestamp(),  -- what is taken away was added before
  id uuid not null default gen_random_uuid(),
  tenant_id uuid not null,
  namespace bytea not null,
  entries bigint not null,
  bytes bigint not null,
  primary key (at, id)
);
alter table private.cache_changes enable row level security;

create function private.note_cache_change() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if tg_op = 'INSERT' then
    insert into private.cache_changes (tenant_id, namespace, entries, bytes)
    select a.tenant_id, a.namespace, count(*), sum(a.bytes) from added a group by a.tenant_id, a.namespace;
  elsif tg_op = 'DELETE' then
    insert into private.cache_changes (tenant_id, namespace, entries, bytes)
    select r.tenant_id, r.namespace, -count(*), -sum(r.bytes) from removed r group by r.tenant_id, r.namespace;
  else
    insert into private.cache_changes (tenant_id, namespace, entries, bytes)
    values (new.tenant_id, new.namespace, 0, new.bytes - old.bytes);
  end if;
  return null;
end $$;
create trigger note_added after insert on public.cache_entries
  referencing new table as added for each statement execute function private.note_cache_change();
create trigger note_removed after delete on public.cache_entries
  referencing old table as removed for each statement execute function private.note_cache_change();
create trigger note_replaced after update of answer on public.cache_entries  -- what counts hits never comes here
  for each row when (old.bytes <> new.bytes) execute function private.note_cache_change();

-- Adds up to `batch_size` changes to what is known to be kept; returns how many there were. A namespace goes when
-- nothing is kept in it any more and nothing else is known of it.
create function private.add_up_cache_changes(batch_size integer) returns bigint
language sql volatile security definer set search_path = '' as $$
  with taken as (
    delete from private.cache_changes c
    using (
      select o.at, o.id from private.cache_changes o order by o.at, o.id limit batch_size for update skip locked
    ) old
    where c.at = old.at and c.id = old.id
    returning c.*
  ),
  staying as materialized (
    select t.id from public.tenants t where t.id in (select tenant_id from taken) for key share
  ),
  by_namespace as (
    select c.tenant_id, c.namespace, sum(c.entries)::bigint as entries, sum(c.bytes)::bigint as bytes
    from taken c join staying s on s.id = c.tenant_id group by c.tenant_id, c.namespace
  ),
  gone as (
    delete from public.cache_namespaces n
    using by_namespace b
    where n.tenant_id = b.tenant_id and n.namespace = b.namespace and n.entries + b.entries <= 0
      and n.ttl_seconds is null and n.state = 'learning' and n.verdicts = 0 and n.judged = 0
      and not exists (
        select from public.cache_entries e where e.tenant_id = n.tenant_id and e.namespace = n.namespace)
    returning n.tenant_id, n.namespace
  ),
  counted as (
    insert into public.cache_namespaces as n (tenant_id, namespace, entries, bytes)
    select b.* from by_namespace b
    where (b.tenant_id, b.namespace) not in (select tenant_id, namespace from gone)
      and (b.entries > 0 or exists (
        select from public.cache_namespaces k where k.tenant_id = b.tenant_id and k.namespace = b.namespace))
    order by b.tenant_id, b.namespace
    on conflict (tenant_id, namespace) do update
      set entries = n.entries + excluded.entries, bytes = n.bytes + excluded.bytes
  ),
  totalled as (
    insert into public.cache_sizes as s (tenant_id, entries, bytes)
    select b.tenant_id, sum(b.entries), sum(b.bytes) from by_namespace b group by b.tenant_id order by b.tenant_id
    on conflict (tenant_id) do update set entries = s.entries + excluded.entries, bytes = s.bytes + excluded.bytes
  )
  select count(*) from taken
$$;

-- Deletes up to `batch_size` answers of tenants that keep more than they may, least recently used first; returns how
-- many. All changes are to be added up before. One row a tenant, then O(batch_size) along the index of last use.
create function private.evict_answers(most integer, batch_size integer) returns bigint
language sql volatile security definer set search_path = '' as $$
  with surplus as (
    select s.tenant_id, s.entries - least(t.cache_max_entries, most) as entries
    from public.cache_sizes s join public.tenants t on t.id = s.tenant_id
    where s.entries > least(t.cache_max_entries, most)
  ),
  evicted as (
    delete from public.cache_entries e
    using (
      select l.tenant_id, l.id
      from surplus s
      cross join lateral (
        select o.tenant_id, o.id from public.cache_entries o where o.tenant_id = s.tenant_id
        order by coalesce(o.hit_at, o.created_at) limit least(s.entries, batch_size) for update skip locked
      ) l
      limit batch_size
    ) old
    where e.tenant_id = old.tenant_id and e.id = old.id
    returning 1
  )
  select count(*) from evicted
$$;

-- As before, and answers that are older than their namespace allows: its lifetime may have been set after they were kept.
create or replace function private.purge_expired_answers(batch_size integer) returns bigint
language sql volatile security definer set search_path = '' as $$
  with expired as (
    select l.tenant_id, l.id from public.cache_entries l where l.expires_at < now()
    order by l.expires_at limit batch_size for update skip locked
  ),
  outlived as (
    select l.tenant_id, l.id
    from public.retention r
    cross join lateral (
      select o.tenant_id, o.id from public.cache_entries o
      where o.tenant_id = r.tenant_id and o.created_at < now() - make_interval(days => r.cache_days)
      order by o.created_at limit batch_size for update skip locked
    ) l
    where r.cache_days is not null
    limit batch_size
  ),
  stale as (
    select l.tenant_id, l.id
    from public.cache_namespaces n
    cross join lateral (
      select o.tenant_id, o.id from public.cache_entries o
      where o.tenant_id = n.tenant_id and o.namespace = n.namespace
        and o.created_at < now() - make_interval(secs => n.ttl_seconds)
      order by o.created_at limit batch_size for update skip locked
    ) l
    where n.ttl_seconds is not null
    limit batch_size
  ),
  purged as (
    delete from public.cache_entries e
    using (select * from expired union select * from outlived union select * from stale limit batch_size) old
    where e.tenant_id = old.tenant_id and e.id = old.id
    returning 1
  )
  select count(*) from purged
$$;

-- As before, with what holds for personal questions.
drop function private.authenticate_key(bytea);
create function private.authenticate_key(key_hash bytea)
returns table (key_id uuid, tenant_id uuid, scopes text[], models text[], cache_mode text, cache_personal text,
  pii text, programme jsonb, valid_for double precision)
language sql stable security definer set search_path = '' as $$
  select k.id, k.tenant_id, k.scopes, k.models, t.cache_mode, t.cache_personal, t.pii, private.programme_of(t.id),
    extract(epoch from least(k.expires_at, case when k.old_hash = key_hash then k.old_hash_until end) - now())
  from public.api_keys k
  join public.tenants t on t.id = k.tenant_id
  where (k.hash = key_hash or k.old_hash = key_hash and k.old_hash_until > now())
    and k.revoked_at is null and (k.expires_at is null or k.expires_at > now())
$$;

revoke execute on all functions in schema public, private from public, anon, authenticated;
grant execute on all functions in schema private to aico_service;
grant execute on function private.my_tenants(), private.programme_of(uuid) to authenticated;
revoke execute on function private.my_tenants() from aico_service;
grant execute on function public.match_cache_entries, public.get_user_cache_stats to authenticated, aico_service;
