-- Row-level security on every table, forced, with one policy an action and role; then the grants.
do $$
declare
  noun record;
begin
  for noun in
    select c.relname as name, case when c.relname = 'tenants' then 'id' else 'tenant_id' end as key
    from pg_class c
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
  loop
    execute format('alter table public.%I enable row level security', noun.name);
    execute format('alter table public.%I force row level security', noun.name);
    execute format(
      'create policy member_reads on public.%I for select to authenticated
         using (%I = any (array(select private.my_tenants())))', noun.name, noun.key);
    execute format(
      'create policy service_works on public.%I for all to aico_service
         using (%I = any (array(select private.service_tenants())))
         with check (%I = any (array(select private.service_tenants())))', noun.name, noun.key, noun.key);
    execute format('revoke all on public.%I from public, anon, authenticated', noun.name);
    execute format('grant select, insert, update, delete on public.%I to aico_service', noun.name);
    if noun.name not in ('api_keys', 'ledger_outbox', 'webhook_endpoints') then
      execute format('grant select on public.%I to authenticated', noun.name);
    end if;
  end loop;
end $$;
-- The ledger and the audit log are append-only for the service too.
revoke update, delete on public.ledger_attempts, public.audit_log from aico_service;
-- Hashes and signing secrets stay with the service.
grant select (id, tenant_id, name, prefix, scopes, created_at, expires_at, revoked_at) on public.api_keys to authenticated;
grant select (id, tenant_id, url, description, events, enabled, disabled_at, disabled_reason, created_at)
  on public.webhook_endpoints to authenticated;

-- What a tenant's cache holds and has saved. Runs with the caller's rights: row-level security decides what is counted.
create function public.get_user_cache_stats()
returns table (tenant_id uuid, entries bigint, exact_hits bigint, semantic_hits bigint, calls bigint, saved_cents numeric)
language sql stable security invoker set search_path = '' as $$
  select t.id,
    (select count(*) from public.cache_entries e where e.tenant_id = t.id and e.expires_at > now()),
    coalesce(sum(r.answered) filter (where r.kind = 'exact_hit'), 0)::bigint,
    coalesce(sum(r.answered) filter (where r.kind = 'semantic_hit'), 0)::bigint,
    coalesce(sum(r.answered) filter (where r.kind = 'call'), 0)::bigint,
    coalesce(sum(r.baseline_cost_cents - r.cost_cents) filter (where r.kind <> 'call'), 0)
  from public.tenants t
  left join public.rollups r on r.tenant_id = t.id and r.grain = 'day'
  group by t.id
$$;

revoke execute on all functions in schema public, private from public, anon, authenticated;
grant execute on all functions in schema private to aico_service;
grant execute on function private.my_tenants() to authenticated;
revoke execute on function private.my_tenants() from aico_service;
grant execute on function public.match_cache_entries, public.get_user_cache_stats to authenticated, aico_service;
