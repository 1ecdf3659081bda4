-- name: create
insert into public.tenants (id, name, baseline_model) values (%(id)s, %(name)s, %(baseline)s)

-- name: create_key
insert into public.api_keys (id, tenant_id, name, prefix, hash, scopes, expires_at)
values (%(id)s, %(tenant)s, %(name)s, %(prefix)s, %(hash)s, %(scopes)s, %(expires)s)

-- name: keys
select id, name, prefix, scopes, created_at, expires_at, revoked_at
from public.api_keys where tenant_id = %(tenant)s order by created_at

-- name: revoke_key
update public.api_keys set revoked_at = now()
where tenant_id = %(tenant)s and prefix = %(prefix)s and revoked_at is null
returning id

-- name: authenticate
select key_id, tenant_id, scopes, cache_mode, pii from private.authenticate_key(%(hash)s)

-- name: memberships
select m.tenant_id, m.role, t.cache_mode, t.pii
from public.members m join public.tenants t on t.id = m.tenant_id
where m.user_id = (select auth.uid()) order by m.created_at

-- name: policy
select fallback, cache_mode, baseline_model, pii from public.tenants where id = %(tenant)s

-- name: set_policy
with changed as (
  update public.tenants
  set fallback = %(fallback)s, cache_mode = %(cache_mode)s, baseline_model = %(baseline_model)s, pii = %(pii)s
  where id = %(tenant)s
  returning id, fallback, cache_mode, baseline_model, pii
)
insert into public.audit_log (tenant_id, actor, action, subject, detail)
select id, 'operator', 'policy.set', id::text, to_jsonb(changed) - 'id' from changed

-- name: set_plan
update public.tenants set plan = %(plan)s where id = %(tenant)s

-- name: find
select id, name, created_at from private.tenant_by_name(%(name)s)

-- name: shares
select class, weight, in_flight_cap from public.tenant_shares where tenant_id = %(tenant)s

-- name: set_weight
insert into public.tenant_shares (tenant_id, class, weight) values (%(tenant)s, %(class)s, %(weight)s)
on conflict (tenant_id, class) do update set weight = excluded.weight

-- name: set_in_flight_cap
insert into public.tenant_shares (tenant_id, class, in_flight_cap) values (%(tenant)s, %(class)s, %(cap)s)
on conflict (tenant_id, class) do update set in_flight_cap = excluded.in_flight_cap
