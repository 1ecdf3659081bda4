-- name: create
with made as (
  insert into public.api_keys (id, tenant_id, name, prefix, hash, scopes, models, expires_at, created_by)
  select %(id)s, %(tenant)s, %(name)s, %(prefix)s, %(hash)s, %(scopes)s::text[], %(models)s::text[], %(expires)s, %(by)s
  where (
    select count(*) from public.api_keys
    where tenant_id = %(tenant)s and revoked_at is null and (expires_at is null or expires_at > now())
  ) < %(most)s
  returning *
),
noted as (
  insert into public.audit_log (tenant_id, actor, action, subject, detail)
  select tenant_id, %(by)s, 'api_key.created', id::text, jsonb_build_object(
    'name', name, 'prefix', prefix, 'scopes', scopes, 'models', models, 'expires_at', expires_at)
  from made
)
select id from made

-- name: page
select id, name, prefix, scopes, models, created_by, created_at, expires_at, revoked_at, last_used_at, rotated_at,
  case when old_hash_until > now() and revoked_at is null then old_hash_until end as old_secret_until,
  case when revoked_at is not null then 'revoked' when expires_at <= now() then 'expired' else 'live' end as state
from public.api_keys
where tenant_id = %(tenant)s and (%(id)s::uuid is null or id = %(id)s) and (%(after)s::uuid is null or id < %(after)s)
order by id desc limit %(limit)s

-- name: change
with changed as (
  update public.api_keys k
  set (name, models, expires_at) = (
    select n.name, n.models, n.expires_at from jsonb_populate_record(k, %(changes)s::jsonb) n
  )
  where k.tenant_id = %(tenant)s and k.id = %(id)s and k.revoked_at is null
  returning k.tenant_id, k.id
),
noted as (
  insert into public.audit_log (tenant_id, actor, action, subject, detail)
  select tenant_id, %(by)s, 'api_key.changed', id::text, %(changes)s::jsonb from changed
)
select id from changed

-- name: rotate
with changed as (
  update public.api_keys k
  set prefix = %(prefix)s, hash = %(hash)s, rotated_at = now(),
    old_hash = case when %(overlap)s > 0 then k.hash end,
    old_hash_until = case when %(overlap)s > 0 then now() + make_interval(secs => %(overlap)s) end
  where k.tenant_id = %(tenant)s and (k.id = %(id)s or k.prefix = %(old_prefix)s) and k.revoked_at is null
    and (k.expires_at is null or k.expires_at > now())
  returning k.tenant_id, k.id
),
noted as (
  insert into public.audit_log (tenant_id, actor, action, subject, detail)
  select tenant_id, %(by)s, 'api_key.rotated', id::text,
    jsonb_build_object('prefix', %(prefix)s::text, 'overlap_seconds', %(overlap)s::float8)
  from changed
)
select id from changed

-- name: revoke
with changed as (
  update public.api_keys
  set revoked_at = now(), old_hash = null, old_hash_until = null
  where tenant_id = %(tenant)s and (id = %(id)s or prefix = %(prefix)s) and revoked_at is null
  returning tenant_id, id
),
noted as (
  insert into public.audit_log (tenant_id, actor, action, subject)
  select tenant_id, %(by)s, 'api_key.revoked', id::text from changed
)
select id from changed

-- name: authenticate
select key_id, tenant_id, scopes, models, cache_mode, cache_personal, pii, programme, valid_for from private.authenticate_key(%(hash)s)

-- name: used
with used as (
  select k.tenant_id, k.id, now() - make_interval(secs => u.age) as at
  from unnest(%(tenants)s::uuid[], %(ids)s::uuid[], %(ages)s::float8[]) as u (tenant, id, age)
  join public.api_keys k on k.tenant_id = u.tenant and k.id = u.id
  order by k.tenant_id, k.id for no key update of k
)
update public.api_keys k set last_used_at = greatest(k.last_used_at, u.at)
from used u where k.tenant_id = u.tenant_id and k.id = u.id
