-- name: account
select t.name, t.plan as tenant_plan, a.stripe_customer_id, a.subscription_id, a.status, a.plan, a.period_start,
  a.period_end, a.cancel_at_period_end, a.overdue_since
from public.tenants t left join public.billing_accounts a on a.tenant_id = t.id
where t.id = %(tenant)s

-- name: tenant_of
select private.billing_customer(%(customer)s) as tenant

-- name: open_account
with opened as (
  insert into public.billing_accounts (tenant_id, stripe_customer_id) values (%(tenant)s, %(customer)s)
  on conflict (tenant_id) do nothing
  returning tenant_id, stripe_customer_id
)
insert into public.audit_log (tenant_id, actor, action, subject)
select tenant_id, %(actor)s, 'billing.account_opened', stripe_customer_id from opened

-- name: record_visit
insert into public.audit_log (tenant_id, actor, action, subject, detail)
select tenant_id, %(actor)s, %(action)s, stripe_customer_id, %(detail)s
from public.billing_accounts where tenant_id = %(tenant)s

-- name: begin_sync
update public.billing_accounts a set asked = a.asked + 1
where a.tenant_id = %(tenant)s
  and not exists (select from public.stripe_events e where e.tenant_id = a.tenant_id and e.id = %(event)s)
returning a.asked, a.stripe_customer_id, a.subscription_id, a.status, a.plan, a.period_start, a.period_end,
  a.cancel_at_period_end, a.overdue_since

-- name: apply
with before as (
  select tenant_id, status, plan, subscription_id from public.billing_accounts where tenant_id = %(tenant)s for update
),
seen as (
  insert into public.stripe_events (tenant_id, id, type)
  select tenant_id, %(event)s, %(event_type)s from before where %(event)s::text is not null
  on conflict do nothing
),
changed as (
  update public.billing_accounts a set
    told = %(asked)s,
    synced_at = now(),
    subscription_id = coalesce(%(subscription)s, a.subscription_id),
    status = coalesce(%(status)s, case when a.subscription_id is not null then 'canceled' end),
    plan = %(plan)s,
    period_start = %(period_start)s,
    period_end = %(period_end)s,
    cancel_at_period_end = %(cancel_at_period_end)s,
    overdue_since = %(overdue_since)s,
    metered_from = case
      when %(plan)s in ('pro', 'business') and (a.metered_from is null or a.metered_until is not null)
        then (now() at time zone 'UTC')::date + 1
      else a.metered_from
    end,
    metered_until = case
      when %(plan)s in ('pro', 'business') then null
      else coalesce(a.metered_until, case when a.metered_from is not null then (now() at time zone 'UTC')::date end)
    end
  from before
  where a.tenant_id = before.tenant_id and a.told < %(asked)s
  returning a.tenant_id, a.status, a.plan, a.subscription_id, before.status as old_status, before.plan as old_plan
),
planned as (
  update public.tenants t set plan = changed.plan
  from changed
  where t.id = changed.tenant_id and changed.plan is distinct from changed.old_plan
    and t.plan is distinct from 'enterprise'
),
audited as (
  insert into public.audit_log (tenant_id, actor, action, subject, detail)
  select tenant_id, 'stripe', 'subscription.changed', coalesce(subscription_id, ''), jsonb_build_object(
    'status', jsonb_build_array(old_status, status), 'plan', jsonb_build_array(old_plan, plan), 'event', %(event)s::text)
  from changed
  where (status, plan) is distinct from (old_status, old_plan)
)
select plan from changed

-- name: to_sync
select private.accounts_to_sync(
  make_interval(secs => %(fresh)s), make_interval(days => %(grace_days)s), %(limit)s) as tenant

-- name: states
select status, plan, accounts, unsent from private.billing_states()

-- name: purge_events
select private.purge_stripe_events(make_interval(days => %(kept)s), %(limit)s) as purged
