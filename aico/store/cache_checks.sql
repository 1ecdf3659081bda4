-- name: take_on
select private.take_on_checks(%(limit)s) as looked

-- name: due
select tenant_id, job_id from private.due_namespaces(%(limit)s, %(enough)s, %(patience)s)

-- name: judged
select n.namespace, n.verdicts, n.evidence_since, t.max_error_rate, t.implicit_outcomes, t.shadow_rate, t.judge_model,
  t.judge_daily_cents, t.compare_with_own_keys, t.draw_salt
from (values (%(tenant)s::uuid, %(job)s::uuid)) b (tenant_id, job_id)
left join public.cache_checks c on c.tenant_id = b.tenant_id and c.job_id = b.job_id
left join public.jobs j on j.tenant_id = b.tenant_id and j.id = b.job_id
join public.cache_namespaces n on n.tenant_id = b.tenant_id and n.namespace = coalesce(c.namespace, j.namespace)
join public.tenants t on t.id = b.tenant_id
where (
  n.verdicts > n.computed and (
    c.kind in ('hit', 'held', 'asked') and (not c.verdict or n.state = 'probation')
    or not c.verdict and c.score >= %(surprising)s
    or n.verdicts - n.computed >= %(enough)s or n.computed_at is null)
  or (n.computed_at < now() - make_interval(secs => %(patience)s) and (n.verdicts > n.computed
    or (n.features_version, n.target, n.confidence) is distinct from (
      %(features)s, coalesce(t.max_error_rate, %(target)s), %(confidence)s))))

-- name: verdicts
select kind, verdict as "right", chance, score, features, judged_at, features_version, embedding_model as model,
  allowed
from public.cache_checks
where tenant_id = %(tenant)s and namespace = %(namespace)s and status = 'judged' and kind <> 'exact'
  and (%(since)s::timestamptz is null or judged_at > %(since)s)
  and (sampled or %(complaints)s and kind in ('hit', 'asked') and source = 'user' and not verdict)
order by judged_at desc limit %(limit)s

-- name: keep
with allowed as (  -- locked, so that who changes the rate meanwhile comes before this, or opens what is stored here
  select t.id from public.tenants t
  where t.id = %(tenant)s and t.max_error_rate is not distinct from %(max_error_rate)s
  for share
)
update public.cache_namespaces n
set state = %(state)s, cut = %(cut)s, weights = %(weights)s::double precision[], bound = %(bound)s, judged = %(judged)s,
  above = %(above)s, wrong = %(wrong)s, audited = %(audited)s, evidence_since = %(since)s, computed = %(verdicts)s,
  computed_at = now(), features_version = %(features)s, embedding_model = %(model)s, target = %(target)s,
  confidence = %(confidence)s
from allowed a
where n.tenant_id = %(tenant)s and n.tenant_id = a.id and n.namespace = %(namespace)s and (n.computed < %(verdicts)s
  or n.computed = %(verdicts)s and (n.features_version, n.target, n.confidence) is distinct from (
    %(features)s, %(target)s, %(confidence)s))
