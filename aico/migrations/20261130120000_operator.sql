-- Where a request stood in its trace when it made a job: W3C's `traceparent`, stored while traces are on and for requests
-- alone. It holds random numbers, nothing of what was asked and nothing of who asked.
alter table public.jobs add column traceparent text check (traceparent ~ '^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$');

-- How far the caches of all tenants together may be trusted: namespaces with verdicts by state, and of the samples at or
-- above their cuts how many had the wrong answer. The index holds what it reads, and namespaces without verdicts are not in it.
create index cache_namespaces_judged on public.cache_namespaces (state) include (above, wrong) where judged > 0;

create function private.cache_standing() returns table (state text, namespaces bigint, samples numeric, wrong numeric)
language sql stable security definer set search_path = '' as $$
  select n.state, count(*), sum(n.above), sum(n.wrong) from public.cache_namespaces n where n.judged > 0 group by n.state
$$;

revoke execute on function private.cache_standing() from public, anon, authenticated;
grant execute on function private.cache_standing() to aico_service;
