-- name: memberships
select m.tenant_id, m.role, t.cache_mode, t.cache_personal, t.pii, private.programme_of(t.id) as programme,
  coalesce(t.display_name, t.name) as name, t.plan, t.personal, m.created_at
from public.members m join public.tenants t on t.id = m.tenant_id
where m.user_id = (select auth.uid()) order by m.created_at, m.tenant_id

-- name: page
select m.user_id, m.role, m.created_at, e.email
from public.members m
left join private.member_emails(%(tenant)s) e on e.user_id = m.user_id
where m.tenant_id = %(tenant)s and (%(after)s::uuid is null or (m.created_at, m.user_id) > (
  select a.created_at, a.user_id from public.members a where a.tenant_id = %(tenant)s and a.user_id = %(after)s))
order by m.created_at, m.user_id limit %(limit)s

-- name: add
with added as (
  insert into public.members (tenant_id, user_id, role) values (%(tenant)s, %(user)s, %(role)s)
  on conflict (tenant_id, user_id) do nothing
  returning tenant_id, user_id, role
),
noted as (
  insert into public.audit_log (tenant_id, actor, action, subject, detail)
  select tenant_id, %(by)s, 'member.added', user_id::text, jsonb_build_object('role', role) from added
)
select user_id from added

-- name: change
with judged as (
  select m.user_id, m.role, case
    when not m.role = any (%(grantable)s::text[]) then 'above'
    when m.role = 'owner' and %(role)s::text is distinct from 'owner' and not exists (
      select from public.members o where o.tenant_id = %(tenant)s and o.role = 'owner' and o.user_id <> m.user_id
    ) then 'last_owner'
    else 'done' end as verdict
  from public.members m where m.tenant_id = %(tenant)s and m.user_id = %(user)s
),
changed as (
  update public.members m set role = %(role)s
  from judged j
  where m.tenant_id = %(tenant)s and m.user_id = j.user_id and j.verdict = 'done' and j.role <> %(role)s
  returning m.user_id, 'member.role_changed' as action, jsonb_build_object('from', j.role, 'to', %(role)s::text) as detail
),
removed as (
  delete from public.members m using judged j
  where m.tenant_id = %(tenant)s and m.user_id = j.user_id and j.verdict = 'done' and %(role)s::text is null
  returning m.user_id, 'member.removed' as action, jsonb_build_object('role', j.role) as detail
),
done as (
  select * from changed union all select * from removed
),
taken_back as (
  update public.invitations i set revoked_at = now()
  from done d
  where i.tenant_id = %(tenant)s and i.created_by = 'user:' || d.user_id and i.accepted_at is null
    and i.revoked_at is null and not i.role = any (%(may_invite)s::text[])
),
noted as (
  insert into public.audit_log (tenant_id, actor, action, subject, detail)
  select %(tenant)s, %(by)s, action, user_id::text, detail from done
)
select verdict from judged

-- name: users_called
select id, email from private.users_called(%(who)s)

-- name: session_lives
select private.session_lives(%(session)s, %(user)s) as lives
