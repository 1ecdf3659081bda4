-- name: get
select jobs_days as jobs, cache_days as cache, ledger_days as ledger, files_days as files,
  deliveries_days as deliveries
from public.retention where tenant_id = %(tenant)s

-- name: put
with changed as (
  insert into public.retention as r (tenant_id, jobs_days, cache_days, ledger_days, files_days, deliveries_days)
  values (%(tenant)s, %(jobs)s, %(cache)s, %(ledger)s, %(files)s, %(deliveries)s)
  on conflict (tenant_id) do update
    set jobs_days = excluded.jobs_days, cache_days = excluded.cache_days, ledger_days = excluded.ledger_days,
      files_days = excluded.files_days, deliveries_days = excluded.deliveries_days
    where (r.jobs_days, r.cache_days, r.ledger_days, r.files_days, r.deliveries_days) is distinct from
      (excluded.jobs_days, excluded.cache_days, excluded.ledger_days, excluded.files_days, excluded.deliveries_days)
  returning *
)
insert into public.audit_log (tenant_id, actor, action, subject, detail)
select tenant_id, %(actor)s, 'retention.set', tenant_id::text, to_jsonb(changed) - 'tenant_id' from changed

-- name: purge_ledger_bodies
select private.purge_ledger_bodies(make_interval(days => %(days)s), %(limit)s) as purged
