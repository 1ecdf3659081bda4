-- As before, but for a cache mode that the caller did not choose: the holdout and the arms of experiments have modes of
-- their own, under which a question that is asked again says nothing of the answer before. And sorted once instead of
-- joined: of jobs so young no statistics are known, by which a join might be planned that compares each with each.
-- O(tenants + n log n) for the n jobs of the time.
create or replace function private.observe_repeats(since timestamptz, until timestamptz, patience interval, seen real)
returns bigint
language sql volatile security definer set search_path = '' as $$
  select count(*) from (
    select private.observe(t.id, r.id, (
      select j.routing ->> 'model' from public.jobs j where j.tenant_id = t.id and j.id = r.id
    ), seen, 'implicit') as stands
    from public.tenants t
    cross join lateral (
      select q.id
      from (
        select m.id, m.reads, m.at, min(m.at) filter (where not m.reads) over (
            partition by m.fingerprint, m.api_key_id order by m.at desc, m.reads rows unbounded preceding
          ) as asked_again_at
        from (
          select j.id, j.fingerprint, j.api_key_id, j.cache_mode in ('exact', 'semantic') as reads,
            case when j.cache_mode in ('exact', 'semantic') then j.finished_at else j.created_at end as at
          from public.jobs j
          where j.tenant_id = t.id and j.id >= private.first_id_at(since - patience) and j.id < private.first_id_at(until)
            and case when j.cache_mode in ('exact', 'semantic') then j.answer is not null
              else j.id >= private.first_id_at(since) and j.cache_mode in ('off', 'refresh')
                and j.cache_mode is distinct from j.assigned #>> '{treatment,cache}' end
        ) m
      ) q
      where q.reads and q.asked_again_at <= q.at + patience
      order by q.id
    ) r
    where t.implicit_outcomes
  ) o where o.stands
$$;
