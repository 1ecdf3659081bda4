-- Provider keys that tenants bring, encrypted before they come here. `id` is the secret's: another one has another id, and
-- the ciphertext is bound to it, to the tenant and to the provider.
create table public.provider_keys (
  id uuid not null,
  tenant_id uuid not null references public.tenants on delete cascade,
  provider text not null check (length(provider) between 1 and 64),
  kek_id text not null,                   -- the key-encryption key that wraps the data key
  wrapped_key bytea not null,
  nonce bytea not null check (length(nonce) = 12),
  ciphertext bytea not null,
  hint text check (length(hint) <= 4),    -- the secret's last characters, of a long one
  created_at timestamptz not null default now(),
  created_by text not null,
  retired_at timestamptz,                 -- replaced; kept while an open provider's batch was made with it
  primary key (tenant_id, id)
);
create unique index provider_keys_current on public.provider_keys (tenant_id, provider) where retired_at is null;
create index provider_keys_kek on public.provider_keys (kek_id);

-- The key that a batch is made, followed and fetched with; null: the operator's.
alter table public.provider_batches add column provider_key_id uuid;

-- Who is sent the provider's bill: what was called with a tenant's own key costs the operator nothing.
alter table public.ledger_attempts
  add column key_source text not null default 'operator' check (key_source in ('operator', 'tenant'));
alter table public.ledger_outbox
  add column key_source text not null default 'operator' check (key_source in ('operator', 'tenant'));

alter table public.provider_keys enable row level security;
alter table public.provider_keys force row level security;
create policy member_reads on public.provider_keys for select to authenticated
  using (tenant_id = any (array(select private.my_tenants())));
create policy service_works on public.provider_keys for all to aico_service
  using (tenant_id = any (array(select private.service_tenants())))
  with check (tenant_id = any (array(select private.service_tenants())));
revoke all on public.provider_keys from public, anon, authenticated;
grant select, insert, update, delete on public.provider_keys to aico_service;
-- What is secret stays with the service, encrypted as it is.
grant select (id, tenant_id, provider, kek_id, hint, created_at, created_by, retired_at)
  on public.provider_keys to authenticated;

-- A key as workers take it, who alone can decrypt it.
create function private.sealed(k public.provider_keys) returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object(
    'id', k.id, 'tenant_id', k.tenant_id, 'provider', k.provider, 'kek_id', k.kek_id,
    'wrapped_key', encode(k.wrapped_key, 'base64'), 'nonce', encode(k.nonce, 'base64'),
    'ciphertext', encode(k.ciphertext, 'base64'))
$$;

-- For the operator's rotation, which knows no tenants: whose keys another key-encryption key than this one wraps, in the
-- order of their ids. Nothing of the keys themselves: those are read and written tenant by tenant.
create function private.stale_provider_keys(current_kek text, after uuid, batch_size integer)
returns table (tenant_id uuid, key_id uuid)
language sql stable security definer set search_path = '' as $$
  select k.tenant_id, k.id from public.provider_keys k
  where k.kek_id <> current_kek and k.id > after
  order by k.id limit batch_size
$$;

create function private.count_stale_provider_keys(current_kek text) returns bigint
language sql stable security definer set search_path = '' as $$
  select count(*) from public.provider_keys k where k.kek_id <> current_kek
$$;

-- As before, but the locks under which quotas change are taken first, in one order, for it ends jobs of many tenants; and a
-- call that is booked as lost says with whose key it was made.
create or replace function private.end_overdue_jobs(max_losses integer, batch_size integer)
returns table (tenant_id uuid, id uuid, status text)
language sql volatile security definer set search_path = '' as $$
  with overdue as (
    select l.tenant_id, l.id from public.jobs l
    where l.status in ('queued', 'in_progress') and l.deadline < now()
      and (l.lease_until is null or l.lease_until < now())
    order by l.deadline limit batch_size
    for update skip locked
  ),
  hopeless as (
    select l.tenant_id, l.id from public.jobs l
    where l.status = 'in_progress' and l.lease_until is not null and l.lease_until < now()
      and l.losses + 1 >= max_losses
    order by l.lease_until limit batch_size
    for update skip locked
  ),
  ending as (
    select * from overdue union select * from hopeless
  ),
  late as (
    select j.tenant_id, j.id, j.api_key_id, j.calling from public.jobs j
    join ending l on l.tenant_id = j.tenant_id and l.id = j.id
    where j.status = 'in_progress' and j.lease_until is not null
  ),
  lost as (
    insert into public.ledger_outbox (id, tenant_id, at, job_id, api_key_id, kind, outcome, provider, model,
      latency_ms, cost_cents, price_version, error, key_source)
    select gen_random_uuid(), l.tenant_id, now(), l.id, l.api_key_id, 'call', 'lost',
      coalesce(l.calling ->> 'provider', 'unknown'), coalesce(l.calling ->> 'model', 'unknown'), 0,
      (l.calling ->> 'cents')::numeric, case when l.calling ->> 'cents' is not null then 'estimate' end,
      'the worker that held the job died', coalesce(l.calling ->> 'key_source', 'operator')
    from late l
  ),
  done as (
    update public.jobs j set
      status = case when j.deadline < now() then 'expired' else 'failed' end,
      error = case when j.deadline < now()
        then jsonb_build_object('code', 'deadline_exceeded', 'message', 'no answer before the deadline')
        else jsonb_build_object('code', 'worker_lost', 'message', 'its worker failed ' || j.losses + 1 || ' times') end,
      finished_at = now(), lease_until = null, run_after = null, calling = null, embedding = null, fence = j.fence + 1
    from ending l, (
      select private.lock_limited(array(select distinct e.tenant_id from ending e)) offset 0
    ) locked
    where j.tenant_id = l.tenant_id and j.id = l.id
    returning j.tenant_id, j.id, j.status
  ),
  told as (
    select a.* from (
      select array_agg(d.tenant_id) as tenants, array_agg(d.id) as jobs, array_agg(d.status) as statuses
      from done d having count(*) > 0
    ) ended, lateral private.announce(ended.tenants, ended.jobs, ended.statuses) a
  )
  select d.tenant_id, d.id, d.status from done d where (select count(*) from told) >= 0
$$;

revoke execute on all functions in schema public, private from public, anon, authenticated;
grant execute on all functions in schema private to aico_service;
grant execute on function private.my_tenants() to authenticated;
revoke execute on function private.my_tenants() from aico_service;
grant execute on function public.match_cache_entries, public.get_user_cache_stats to authenticated, aico_service;
