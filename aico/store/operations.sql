-- name: queue_stats
select class as job_class, waiting, admitted, running, held, lane, oldest_seconds, longest_wait_seconds
from private.queue_stats()

-- name: dead_jobs
select private.dead_jobs() as dead

-- name: totals
select kind, outcome, provider, model, attempts, unpriced, input_tokens, output_tokens, cost_cents, baseline_cost_cents,
  saved_cents, overspent_cents, lever
from private.all_totals() order by kind, outcome, provider, model, lever

-- name: cache_standing
select state, namespaces, samples, wrong from private.cache_standing()
