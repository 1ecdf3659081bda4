-- What the one who paid for an answer says of it; null: nothing.
alter table public.cache_entries add column own_verdict boolean;

-- What a caller says of an answer that a model made for this very question: it counts for what is kept of it, as what
-- callers say of its hits does. A later word replaces an earlier one, the same again changes nothing.
create function private.judge_own_entry(tenant uuid, job uuid, same boolean, least_good integer[]) returns void
language plpgsql volatile set search_path = '' as $$
declare
  checked public.cache_checks;
begin
  select e.tenant_id, e.id, e.own_verdict, clock_timestamp()
  into checked.tenant_id, checked.entry_id, checked.verdict, checked.created_at
  from public.cache_entries e
  where e.tenant_id = tenant and e.job_id = job and e.asked_by is null and e.own_verdict is distinct from same
  for update;
  if found then
    update public.cache_entries e set own_verdict = same where e.tenant_id = tenant and e.id = checked.entry_id;
    perform private.count_judgement(checked, same, least_good);
  end if;
end $$;

-- As before, and of tenants whose answers take more bytes than `most_bytes` together. Each tenant's least recently used
-- ones, as many as bring both figures down.
drop function private.evict_answers(integer, integer);
create function private.evict_answers(most integer, most_bytes bigint, batch_size integer) returns bigint
language sql volatile security definer set search_path = '' as $$
  with surplus as (
    select s.tenant_id, s.entries - least(t.cache_max_entries, most) as entries, s.bytes - most_bytes as bytes
    from public.cache_sizes s join public.tenants t on t.id = s.tenant_id
    where s.entries > least(t.cache_max_entries, most) or s.bytes > most_bytes
  ),
  evicted as (
    delete from public.cache_entries e
    using (
      select s.tenant_id, l.id
      from surplus s
      cross join lateral (
        select u.id, row_number() over used as place, sum(u.bytes) over used - u.bytes as before
        from (
          select o.id, o.bytes, coalesce(o.hit_at, o.created_at) as used_at
          from public.cache_entries o where o.tenant_id = s.tenant_id
          order by coalesce(o.hit_at, o.created_at) limit batch_size for update skip locked
        ) u
        window used as (order by u.used_at, u.id rows unbounded preceding)
      ) l
      where l.place <= s.entries or l.before < s.bytes
      limit batch_size
    ) old
    where e.tenant_id = old.tenant_id and e.id = old.id
    returning 1
  )
  select count(*) from evicted
$$;

-- As before, for a dashboard: with hits that were one call for several who asked at once, the error per hit that the
-- tenant allows (null: the service's), and how far its 20 largest namespaces may be trusted. `cut` is in log-odds; null:
-- the service's, while nothing is known. What is saved is what hits saved; comparing answers is no hit, and costs apart.
drop function public.get_user_cache_stats();
create function public.get_user_cache_stats()
returns table (
  tenant_id uuid, entries bigint, exact_hits bigint, semantic_hits bigint, calls bigint, saved_cents numeric,
  shared_hits bigint, max_error_rate double precision, namespaces jsonb
)
language sql stable security invoker set search_path = '' as $$
  select t.id,
    (select count(*) from public.cache_entries e where e.tenant_id = t.id and e.expires_at > now()),
    coalesce(sum(r.answered) filter (where r.kind = 'exact_hit'), 0)::bigint,
    coalesce(sum(r.answered) filter (where r.kind = 'semantic_hit'), 0)::bigint,
    coalesce(sum(r.answered) filter (where r.kind = 'call'), 0)::bigint,
    coalesce(sum(r.baseline_cost_cents - r.cost_cents)
      filter (where r.kind in ('exact_hit', 'semantic_hit', 'shared')), 0),
    coalesce(sum(r.answered) filter (where r.kind = 'shared'), 0)::bigint,
    t.max_error_rate,
    (
      select coalesce(jsonb_agg(to_jsonb(n) order by n.entries desc, n.namespace), '[]')
      from (
        select encode(c.namespace, 'hex') as namespace, c.label, c.entries, c.state, c.cut, c.bound, c.judged, c.above,
          c.wrong
        from public.cache_namespaces c where c.tenant_id = t.id
        order by c.entries desc, c.namespace limit 20
      ) n
    )
  from public.tenants t
  left join public.rollups r on r.tenant_id = t.id and r.grain = 'day'
  group by t.id
$$;

do $$
declare
  made regprocedure;
begin
  foreach made in array array[
    'private.judge_own_entry(uuid, uuid, boolean, integer[])', 'private.evict_answers(integer, bigint, integer)'
  ]::regprocedure[] loop
    execute format('revoke execute on function %s from public, anon, authenticated', made);
    execute format('grant execute on function %s to aico_service', made);
  end loop;
end $$;
revoke execute on function public.get_user_cache_stats from public, anon;
grant execute on function public.get_user_cache_stats to authenticated, aico_service;
