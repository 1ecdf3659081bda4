-- name: create
with made as (
  insert into public.invitations (id, tenant_id, email, role, hash, created_by, expires_at)
  select %(id)s, %(tenant)s, %(email)s, %(role)s, %(hash)s, %(by)s, now() + make_interval(secs => %(valid)s)
  where (
    select count(*) from public.invitations
    where tenant_id = %(tenant)s and accepted_at is null and revoked_at is null and expires_at > now()
  ) < %(most)s
  returning *
),
noted as (
  insert into public.audit_log (tenant_id, actor, action, subject, detail)
  select tenant_id, %(by)s, 'invitation.created', id::text, jsonb_build_object('email', email, 'role', role) from made
)
select id, email, role, created_by, created_at, expires_at, accepted_at, accepted_by, revoked_at, 'pending' as state
from made

-- name: page
select id, email, role, created_by, created_at, expires_at, accepted_at, accepted_by, revoked_at,
  case when accepted_at is not null then 'accepted' when revoked_at is not null then 'revoked'
    when expires_at <= now() then 'expired' else 'pending' end as state
from public.invitations
where tenant_id = %(tenant)s and (%(after)s::uuid is null or id < %(after)s)
order by id desc limit %(limit)s

-- name: revoke
with changed as (
  update public.invitations set revoked_at = now()
  where tenant_id = %(tenant)s and id = %(id)s and accepted_at is null and revoked_at is null
  returning tenant_id, id
),
noted as (
  insert into public.audit_log (tenant_id, actor, action, subject)
  select tenant_id, %(by)s, 'invitation.revoked', id::text from changed
)
select id from changed

-- name: accept
select tenant_id from private.accept_invitation(%(hash)s, %(user)s, %(email)s)
