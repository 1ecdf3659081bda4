-- name: to_meter
select private.accounts_to_meter(make_interval(secs => %(pause)s), %(limit)s) as tenant

-- name: due
select day, unit, quantity from private.unreported_use(%(tenant)s, %(units)s, %(oldest)s, %(closed)s) order by day, unit

-- name: write_down
with counted as (
  update public.billing_accounts set metered_at = now() where tenant_id = %(tenant)s
)
insert into public.usage_reports (tenant_id, day, unit, part, quantity, identifier)
select %(tenant)s, u.day, u.unit, u.part, u.quantity, format('aico:%%s:%%s:%%s:%%s', %(tenant)s, u.day, u.unit, u.part)
from private.unreported_use(%(tenant)s, %(units)s, %(oldest)s, %(closed)s) u
on conflict do nothing

-- name: unsent
select u.day, u.unit, u.part, u.quantity, u.identifier, u.tried_at, a.stripe_customer_id as customer
from public.usage_reports u join public.billing_accounts a on a.tenant_id = u.tenant_id
where u.tenant_id = %(tenant)s and u.sent_at is null order by u.day, u.unit, u.part

-- name: tried
update public.usage_reports set tried_at = coalesce(tried_at, now())
where tenant_id = %(tenant)s and identifier = %(identifier)s and sent_at is null

-- name: sent
update public.usage_reports set sent_at = now()
where tenant_id = %(tenant)s and identifier = %(identifier)s and sent_at is null

-- name: settle
with settled as (
  update public.usage_reports
  set sent_at = case when %(arrived)s then now() end, tried_at = case when %(arrived)s then tried_at end
  where tenant_id = %(tenant)s and identifier = %(identifier)s and sent_at is null
  returning tenant_id, identifier
),
audited as (
  insert into public.audit_log (tenant_id, actor, action, subject, detail)
  select tenant_id, %(actor)s, 'usage_report.settled', identifier, jsonb_build_object('arrived', %(arrived)s::boolean)
  from settled
)
select identifier from settled
