-- name: put
with used as (
  select b.provider_key_id as id from public.provider_batches b
  where b.tenant_id = %(tenant)s and b.ended_at is null and b.provider_key_id is not null
),
retired as (
  update public.provider_keys k set retired_at = now()
  where k.tenant_id = %(tenant)s and k.provider = %(provider)s and k.retired_at is null and k.id in (select id from used)
  returning k.id
),
gone as (
  delete from public.provider_keys k
  where k.tenant_id = %(tenant)s and k.provider = %(provider)s and k.id not in (select id from used)
  returning k.id
),
changed as (  -- counts the others, so that they come first: there is one current key at any time
  insert into public.provider_keys (id, tenant_id, provider, kek_id, wrapped_key, nonce, ciphertext, hint, created_by)
  select %(id)s, %(tenant)s, %(provider)s, %(kek_id)s, %(wrapped_key)s, %(nonce)s, %(ciphertext)s, %(hint)s, %(actor)s
  where (select count(*) from retired) + (select count(*) from gone) >= 0
  returning id, tenant_id, provider, kek_id, hint, created_at, created_by
),
audit as (
  insert into public.audit_log (tenant_id, actor, action, subject, detail)
  select tenant_id, created_by, 'provider_key.set', provider, jsonb_build_object('key_id', id, 'kek_id', kek_id)
  from changed
)
select id, provider, kek_id, hint, created_at, created_by from changed

-- name: ls
select id, provider, kek_id, hint, created_at, created_by from public.provider_keys
where tenant_id = %(tenant)s and retired_at is null
order by provider

-- name: remove
with gone as (
  delete from public.provider_keys where tenant_id = %(tenant)s and provider = %(provider)s
  returning id, retired_at
),
changed as (
  select id from gone where retired_at is null
),
audit as (
  insert into public.audit_log (tenant_id, actor, action, subject, detail)
  select %(tenant)s, %(actor)s, 'provider_key.deleted', %(provider)s, jsonb_build_object('key_id', id) from changed
)
select id from changed

-- name: providers
select provider, id from public.provider_keys where tenant_id = %(tenant)s and retired_at is null

-- name: count_stale
select private.count_stale_provider_keys(%(kek_id)s) as stale

-- name: stale
select tenant_id, key_id from private.stale_provider_keys(%(kek_id)s, %(after)s, %(limit)s)

-- name: sealed
select private.sealed(k) as key from public.provider_keys k
where k.tenant_id = any (%(tenants)s::uuid[]) and k.id = any (%(ids)s::uuid[])

-- name: rewrap
with changed as (
  update public.provider_keys k set kek_id = r.kek_id, wrapped_key = r.wrapped
  from unnest(%(ids)s::uuid[], %(before)s::bytea[], %(kek_ids)s::text[], %(wrapped)s::bytea[])
    as r (id, before, kek_id, wrapped)
  where k.tenant_id = any (%(tenants)s::uuid[]) and k.id = r.id and k.wrapped_key = r.before
  returning k.id, k.tenant_id, k.provider, k.kek_id
),
audit as (
  insert into public.audit_log (tenant_id, actor, action, subject, detail)
  select tenant_id, %(actor)s, 'provider_key.rewrapped', provider, jsonb_build_object('key_id', id, 'kek_id', kek_id)
  from changed
)
select id from changed
