-- name: ended
select id, tenant_id, traceparent, class, surface, status, created_at, finished_at, retries, error ->> 'code' as error,
  routing ->> 'provider' as provider, routing ->> 'model' as model, routing ->> 'strategy' as strategy,
  routing ->> 'cache' as cache, routing ->> 'lane' as lane, (routing ->> 'similarity')::real as similarity,
  (routing ->> 'cost_cents')::numeric as cost_cents, (routing ->> 'baseline_cost_cents')::numeric as baseline_cost_cents,
  coalesce((routing ->> 'attempts')::integer, 0) as attempts, array(
    select (h ->> 'at')::timestamptz from jsonb_array_elements(history) with ordinality as e (h, n) order by n
  ) as put_back_at, array(
    select h ->> 'reason' from jsonb_array_elements(history) with ordinality as e (h, n) order by n
  ) as reasons
from public.jobs
where tenant_id = any (%(tenants)s::uuid[]) and id = any (%(ids)s::uuid[]) and finished_at is not null
