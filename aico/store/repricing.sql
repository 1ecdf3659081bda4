-- name: count
select count(*) as attempts from public.ledger_attempts a
where a.tenant_id = %(tenant)s and a.kind not in ('exact_hit', 'semantic_hit', 'shared') and a.at >= %(since)s and a.at < %(until)s
  and (%(model)s::text is null or a.model = %(model)s) and (not %(unpriced_only)s or a.cost_cents is null)

-- name: page
select a.at, a.id, a.provider, a.model, a.input_uncached, a.cache_read, a.cache_write, a.cache_write_1h, a.output,
  a.reasoning, a.tier, a.batch, a.baseline_model, a.cost_cents, a.price_version, a.baseline_cost_cents
from public.ledger_attempts a
where a.tenant_id = %(tenant)s and a.kind not in ('exact_hit', 'semantic_hit', 'shared') and a.at >= %(since)s and a.at < %(until)s
  and (%(model)s::text is null or a.model = %(model)s) and (not %(unpriced_only)s or a.cost_cents is null)
  and (%(after_id)s::uuid is null or (a.at, a.id) > (%(after_at)s, %(after_id)s))
order by a.at, a.id limit %(limit)s

-- name: correct
select private.reprice(%(tenant)s, %(run)s, %(by)s, %(changes)s, %(closed)s) as changed
