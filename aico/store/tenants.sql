-- name: create
with made as (
  insert into public.tenants (id, name, baseline_model) values (%(id)s, %(name)s, %(baseline)s) returning id
)
insert into public.audit_log (tenant_id, actor, action, subject)
select id, 'operator', 'tenant.created', id::text from made

-- name: make
select tenant_id from private.make_tenant(%(tenant)s, %(maker)s, %(title)s, %(plan)s, %(personal)s, %(most)s)

-- name: get
select id, coalesce(display_name, name) as name, plan, personal, created_at, fallback, cache_mode, baseline_model,
  similarity_threshold, pii, holdout_share, strategy, quality_target, implicit_outcomes, shadow_rate, judge_model,
  judge_daily_cents, compare_with_own_keys, max_error_rate, cache_guards, cache_personal, cache_max_entries
from public.tenants where id = %(tenant)s

-- name: change
with changed as (
  update public.tenants t
  set (display_name, fallback, cache_mode, baseline_model, similarity_threshold, pii, holdout_share, strategy,
    quality_target, implicit_outcomes, shadow_rate, judge_model, judge_daily_cents, compare_with_own_keys,
    max_error_rate, cache_guards, cache_personal, cache_max_entries) = (
    select n.display_name, n.fallback, n.cache_mode, n.baseline_model, n.similarity_threshold, n.pii, n.holdout_share,
      n.strategy, n.quality_target, n.implicit_outcomes, n.shadow_rate, n.judge_model, n.judge_daily_cents,
      n.compare_with_own_keys, n.max_error_rate, n.cache_guards, n.cache_personal,
      n.cache_max_entries
    from jsonb_populate_record(t, %(changes)s::jsonb) n
  )
  where t.id = %(tenant)s
  returning t.id
),
open as (  -- what was computed of the cache's error holds for the rate that was allowed then
  update public.cache_namespaces set computed = 0, computed_at = null
  where tenant_id = %(tenant)s and verdicts > 0 and %(changes)s::jsonb ? 'max_error_rate'
)
insert into public.audit_log (tenant_id, actor, action, subject, detail)
select id, %(by)s, 'tenant.changed', id::text, %(changes)s::jsonb from changed

-- name: policy
select fallback, cache_mode, baseline_model, similarity_threshold, pii, holdout_share, strategy, quality_target,
  implicit_outcomes, shadow_rate, judge_model, judge_daily_cents, compare_with_own_keys, max_error_rate, cache_guards,
  cache_personal, cache_max_entries
from public.tenants where id = %(tenant)s

-- name: set_plan
with changed as (
  update public.tenants set plan = %(plan)s where id = %(tenant)s returning id
)
insert into public.audit_log (tenant_id, actor, action, subject, detail)
select id, %(by)s, 'tenant.plan_set', id::text, jsonb_build_object('plan', %(plan)s::text) from changed

-- name: lock
select id from public.tenants where id = %(tenant)s for no key update

-- name: find
select id, name, created_at from private.tenant_by_name(%(name)s)

-- name: everyone
select id, name, display_name, plan, personal, members, created_at from private.all_tenants(%(after)s, %(limit)s)

-- name: shares
select class, weight, in_flight_cap from public.tenant_shares where tenant_id = %(tenant)s

-- name: set_weight
with changed as (
  insert into public.tenant_shares (tenant_id, class, weight) values (%(tenant)s, %(class)s, %(weight)s)
  on conflict (tenant_id, class) do update set weight = excluded.weight
  returning tenant_id, class, weight
)
insert into public.audit_log (tenant_id, actor, action, subject, detail)
select tenant_id, 'operator', 'tenant.share_set', class, jsonb_build_object('weight', weight) from changed

-- name: set_in_flight_cap
with changed as (
  insert into public.tenant_shares (tenant_id, class, in_flight_cap) values (%(tenant)s, %(class)s, %(cap)s)
  on conflict (tenant_id, class) do update set in_flight_cap = excluded.in_flight_cap
  returning tenant_id, class, in_flight_cap
)
insert into public.audit_log (tenant_id, actor, action, subject, detail)
select tenant_id, 'operator', 'tenant.share_set', class, jsonb_build_object('in_flight', in_flight_cap) from changed
