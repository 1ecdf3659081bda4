-- Billing through Stripe: who a tenant is there, what it pays for, and which use has been reported.
create table public.billing_accounts (
  tenant_id uuid primary key references public.tenants on delete cascade,
  stripe_customer_id text not null unique,
  subscription_id text,
  status text,                            -- Stripe's word for the subscription; null: never had one
  plan text check (plan in ('free', 'pro', 'business', 'enterprise')),  -- what it grants; null: it never granted any
  period_start timestamptz,
  period_end timestamptz,
  cancel_at_period_end boolean not null default false,
  overdue_since timestamptz,              -- when a payment was first found to have failed
  metered_from date,                      -- the first whole day, UTC, whose use is reported
  metered_until date,                     -- and the first one after it whose use is not
  asked bigint not null default 0,        -- grows with each look at Stripe
  told bigint not null default 0,         -- the look that is written here; an older one changes nothing
  synced_at timestamptz not null default now(),
  metered_at timestamptz not null default '-infinity',
  created_at timestamptz not null default now()
);
create index billing_accounts_synced on public.billing_accounts (synced_at);
create index billing_accounts_metered on public.billing_accounts (metered_at) where metered_from is not null;

-- Events that have been acted upon. Stripe sends some of them twice.
create table public.stripe_events (
  tenant_id uuid not null references public.tenants on delete cascade,
  id text not null,
  type text not null,
  received_at timestamptz not null default now(),
  primary key (tenant_id, id)
);
create index stripe_events_age on public.stripe_events (received_at);

-- Use of a day in parts: what was booked when it was first counted, and what came late. Written before it is sent.
create table public.usage_reports (
  tenant_id uuid not null references public.tenants on delete cascade,
  day date not null,                      -- UTC
  unit text not null check (unit in ('tokens', 'cents')),
  part integer not null check (part >= 0),
  quantity bigint not null check (quantity > 0),
  identifier text not null check (length(identifier) <= 100),  -- under which Stripe counts it once
  created_at timestamptz not null default now(),
  tried_at timestamptz,                   -- when it was first sent, whatever came of it
  sent_at timestamptz,                    -- when Stripe was known to have it
  primary key (tenant_id, day, unit, part)
);

-- Baseline cost of answers whose own cost is unknown: no saving can be shown for them.
alter table public.rollups add column unpriced_baseline_cents numeric(24, 6) not null default 0;
update public.rollups r set unpriced_baseline_cents = l.cents
from (
  select a.tenant_id, g.grain, date_trunc(g.grain, a.at, 'UTC') as bucket, a.kind, a.provider, a.model,
    sum(a.baseline_cost_cents) as cents
  from public.ledger_attempts a, unnest(array['minute', 'day']) as g (grain)
  where a.cost_cents is null and a.baseline_cost_cents is not null
  group by 1, 2, 3, 4, 5, 6
) l
where (r.tenant_id, r.grain, r.bucket, r.kind, r.provider, r.model)
  = (l.tenant_id, l.grain, l.bucket, l.kind, l.provider, l.model);
-- What was called with keys of the tenant's own, whose bill the provider sends to the tenant.
alter table public.rollups add column own_key_cents numeric(24, 6) not null default 0;

do $$
declare
  noun text;
begin
  foreach noun in array array['billing_accounts', 'stripe_events', 'usage_reports'] loop
    execute format('alter table public.%I enable row level security', noun);
    execute format('alter table public.%I force row level security', noun);
    execute format(
      'create policy member_reads on public.%I for select to authenticated
         using (tenant_id = any (array(select private.my_tenants())))', noun);
    execute format(
      'create policy service_works on public.%I for all to aico_service
         using (tenant_id = any (array(select private.service_tenants())))
         with check (tenant_id = any (array(select private.service_tenants())))', noun);
    -- Not to members: what a tenant pays is for its owners, whom the API knows from the others.
    execute format('revoke all on public.%I from public, anon, authenticated', noun);
    execute format('grant select, insert, update, delete on public.%I to aico_service', noun);
  end loop;
end $$;

-- Whose customer is this? Asked for Stripe's events, which name no tenant.
create function private.billing_customer(customer text) returns uuid
language sql stable security definer set search_path = '' as $$
  select a.tenant_id from public.billing_accounts a where a.stripe_customer_id = customer
$$;

-- Accounts to be looked at anew: those not looked at for so long, in case an event was lost, and those whose time to
-- pay what they owe is over.
create function private.accounts_to_sync(fresh interval, grace interval, batch_size integer) returns setof uuid
language sql stable security definer set search_path = '' as $$
  select a.tenant_id from public.billing_accounts a
  where a.synced_at < now() - fresh
    or (a.overdue_since < now() - grace and a.plan <> 'free' and a.synced_at < a.overdue_since + grace)
  order by a.synced_at limit batch_size
$$;

-- Accounts whose use has not been counted for so long.
create function private.accounts_to_meter(pause interval, batch_size integer) returns setof uuid
language sql stable security definer set search_path = '' as $$
  select a.tenant_id from public.billing_accounts a
  where a.metered_from is not null and a.metered_at <= now() - pause
  order by a.metered_at limit batch_size
$$;

-- What a tenant has used on days from `oldest` and before `closed`, and has not been written down to be reported. Whole
-- cents: what is left of one counts with what comes later.
create function private.unreported_use(tenant uuid, units text[], oldest date, closed date)
returns table (day date, unit text, part integer, quantity bigint)
language sql stable set search_path = '' as $$
  with used as (
    select (r.bucket at time zone 'UTC')::date as day, u.unit,
      floor(sum(case u.unit when 'tokens' then r.input_tokens + r.output_tokens
        else r.cost_cents - r.own_key_cents end))::bigint as quantity
    from public.billing_accounts a
    join public.rollups r on r.tenant_id = a.tenant_id and r.grain = 'day' and r.kind = 'call'
      and r.bucket >= greatest(a.metered_from, oldest)::timestamp at time zone 'UTC'
      and r.bucket < least(a.metered_until, closed)::timestamp at time zone 'UTC'
    cross join unnest(units) as u (unit)
    where a.tenant_id = tenant and a.metered_from is not null
    group by 1, 2
  ),
  reported as (
    select r.day, r.unit, max(r.part) + 1 as part, sum(r.quantity) as quantity
    from public.usage_reports r
    where r.tenant_id = tenant and r.day >= oldest
    group by r.day, r.unit
  )
  select u.day, u.unit, coalesce(p.part, 0), (u.quantity - coalesce(p.quantity, 0))::bigint
  from used u left join reported p on p.day = u.day and p.unit = u.unit
  where u.quantity > coalesce(p.quantity, 0)
$$;

-- For the operator: how many accounts are in which state, never whose.
create function private.billing_states() returns table (status text, plan text, accounts bigint, unsent bigint)
language sql stable security definer set search_path = '' as $$
  select a.status, a.plan, count(*), coalesce(sum(u.unsent), 0)::bigint
  from public.billing_accounts a
  left join (
    select r.tenant_id, count(*) as unsent from public.usage_reports r where r.sent_at is null group by r.tenant_id
  ) u on u.tenant_id = a.tenant_id
  group by a.status, a.plan order by a.status, a.plan
$$;

-- Deletes events that Stripe sends no more. Returns how many.
create function private.purge_stripe_events(kept interval, batch_size integer) returns bigint
language sql volatile security definer set search_path = '' as $$
  with purged as (
    delete from public.stripe_events e
    using (
      select l.tenant_id, l.id from public.stripe_events l
      where l.received_at < now() - kept
      order by l.received_at limit batch_size for update skip locked
    ) old
    where e.tenant_id = old.tenant_id and e.id = old.id
    returning 1
  )
  select count(*) from purged
$$;

do $$
declare
  made regprocedure;
begin
  foreach made in array array[
    'private.billing_customer(text)', 'private.accounts_to_sync(interval, interval, integer)',
    'private.accounts_to_meter(interval, integer)', 'private.unreported_use(uuid, text[], date, date)',
    'private.billing_states()', 'private.purge_stripe_events(interval, integer)'
  ]::regprocedure[] loop
    execute format('revoke execute on function %s from public, anon, authenticated', made);
    execute format('grant execute on function %s to aico_service', made);
  end loop;
end $$;
