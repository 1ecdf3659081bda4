-- Money that can be counted again: what an attempt used in all that its price depends on, prices that are put right later
-- with a record of what stood there before, an alert where a price is missing, and what was learned about tokens.

-- `cache_write_1h` is the part of `cache_write` that a provider keeps for an hour, which costs more. `text_tokens` is what we
-- counted in the prompt before the call; null: the prompt had more than texts of ordinary length.
alter table public.ledger_attempts
  add column cache_write_1h integer not null default 0,
  add column text_tokens integer;
alter table public.ledger_outbox
  add column cache_write_1h integer not null default 0,
  add column text_tokens integer;

-- Kinds are the service's words, which it may add to without a look at the rows.
alter table public.alerts drop constraint alerts_kind_check;
alter table public.alerts add constraint alerts_kind_check check (kind ~ '^[a-z_]+\.[a-z_]+$');

-- What an attempt's row in the ledger said before it was priced again. The ledger says what holds now.
create table public.ledger_corrections (
  tenant_id uuid not null references public.tenants on delete cascade,
  at timestamptz not null,                -- of the attempt
  attempt_id uuid not null,
  run uuid not null,                      -- of `aico reprice`; its entries in the audit log have it as their subject
  corrected_at timestamptz not null default now(),
  cost_cents numeric(20, 6),
  price_version text,
  baseline_cost_cents numeric(20, 6),
  primary key (tenant_id, at, attempt_id, run)
);

alter table public.ledger_corrections enable row level security;
alter table public.ledger_corrections force row level security;
create policy member_reads on public.ledger_corrections for select to authenticated
  using (tenant_id = any (array(select private.my_tenants())));
create policy service_works on public.ledger_corrections for all to aico_service
  using (tenant_id = any (array(select private.service_tenants())))
  with check (tenant_id = any (array(select private.service_tenants())));
revoke all on public.ledger_corrections from public, anon, authenticated;
-- Written by private.reprice alone.
grant select on public.ledger_corrections to aico_service, authenticated;

-- Differences of closed days that came by repricing: what is reported to Stripe stays at the prices of then.
alter table public.rollups add column repriced_cents numeric(24, 6) not null default 0;

-- As before, without those differences.
create or replace function private.unreported_use(tenant uuid, units text[], oldest date, closed date)
returns table (day date, unit text, part integer, quantity bigint)
language sql stable set search_path = '' as $$
  with used as (
    select (r.bucket at time zone 'UTC')::date as day, u.unit,
      floor(sum(case u.unit when 'tokens' then r.input_tokens + r.output_tokens
        else r.cost_cents - r.own_key_cents - r.repriced_cents end))::bigint as quantity
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

-- Gives attempts of a tenant for which the service acts other prices. `changes` is a JSON array of {at, id, cost_cents,
-- price_version, baseline_cost_cents}; days before `closed` (UTC) may have been reported to Stripe. What stood there before,
-- the differences of rollups and of arms, and an entry in the audit log are written by the same statement; the totals are
-- not touched: metrics that count up show what was booked when it was. Attempts that are not there, are hits, or say so
-- already are passed over. Returns how many were changed.
create function private.reprice(tenant uuid, run uuid, actor text, changes jsonb, closed date) returns bigint
language plpgsql volatile security definer set search_path = '' as $$
declare
  count_changed bigint;
begin
  perform pg_advisory_xact_lock(hashtextextended('reprice ' || tenant::text, 0));  -- one after the other
  with wanted as (
    select c.* from jsonb_to_recordset(changes)
      as c (at timestamptz, id uuid, cost_cents numeric, price_version text, baseline_cost_cents numeric)
    where tenant in (select private.service_tenants())
  ),
  held as (
    select l.at, l.id, l.job_id, l.kind, w.cost_cents, w.price_version, w.baseline_cost_cents,
      coalesce(w.cost_cents, 0) - coalesce(l.cost_cents, 0) as dearer
    from public.ledger_attempts l join wanted w on w.at = l.at and w.id = l.id
    where l.tenant_id = tenant and l.kind not in ('exact_hit', 'semantic_hit')
      and (l.cost_cents, l.price_version, l.baseline_cost_cents)
        is distinct from (w.cost_cents, w.price_version, w.baseline_cost_cents)
    order by l.at, l.id
    for no key update of l
  ),
  jobs as (
    select h.job_id, sum(h.dearer) as dearer from held h where h.kind = 'call' group by h.job_id
  ),
  drawn as (  -- where a job's arms are told what all of its attempts cost
    select l.at, l.id, j.dearer from public.ledger_attempts l join jobs j on j.job_id = l.job_id
    where l.tenant_id = tenant and l.job_cents is not null
    for no key update of l
  ),
  -- What stands there now: nobody else changes prices meanwhile.
  before as (
    select l.at, l.id, l.kind, l.outcome, l.provider, l.model, l.key_source, l.arms, l.cost_cents, l.price_version,
      l.baseline_cost_cents, l.job_cents, h.id is not null as repriced, d.dearer
    from (select at, id from held union select at, id from drawn) t
    join public.ledger_attempts l on l.tenant_id = tenant and l.at = t.at and l.id = t.id
    left join held h on h.at = t.at and h.id = t.id
    left join drawn d on d.at = t.at and d.id = t.id
  ),
  changed as (
    update public.ledger_attempts l set
      cost_cents = case when b.repriced then h.cost_cents else l.cost_cents end,
      price_version = case when b.repriced then h.price_version else l.price_version end,
      baseline_cost_cents = case when b.repriced then h.baseline_cost_cents else l.baseline_cost_cents end,
      job_cents = l.job_cents + coalesce(b.dearer, 0)
    from before b left join held h on h.at = b.at and h.id = b.id
    where l.tenant_id = tenant and l.at = b.at and l.id = b.id
    returning l.at, l.id, l.kind, l.outcome, l.provider, l.model, l.key_source, l.arms, b.repriced,
      l.cost_cents as cost, l.baseline_cost_cents as baseline, l.job_cents as job,
      b.cost_cents as old_cost, b.price_version as old_version, b.baseline_cost_cents as old_baseline, b.job_cents as old_job
  ),
  noted as (
    insert into public.ledger_corrections (tenant_id, at, attempt_id, run, cost_cents, price_version, baseline_cost_cents)
    select tenant, c.at, c.id, run, c.old_cost, c.old_version, c.old_baseline from changed c where c.repriced
    on conflict do nothing  -- a run that is repeated: what stood there before the first time counts
  ),
  grains as (
    select tenant as tenant_id, g.grain, date_trunc(g.grain, c.at, 'UTC') as bucket, c.kind, c.provider, c.model,
      sum((c.cost is null)::integer - (c.old_cost is null)::integer) as unpriced,
      sum(coalesce(c.cost, 0) - coalesce(c.old_cost, 0)) as cost_cents,
      sum(coalesce(c.baseline, 0) - coalesce(c.old_baseline, 0)) as baseline_cost_cents,
      sum(case when c.cost is null then coalesce(c.baseline, 0) else 0 end
        - case when c.old_cost is null then coalesce(c.old_baseline, 0) else 0 end) as unpriced_baseline_cents,
      sum(case when c.key_source = 'tenant' then coalesce(c.cost, 0) - coalesce(c.old_cost, 0) else 0 end) as own_key_cents,
      sum(case when c.key_source = 'operator' and c.at < closed::timestamp at time zone 'UTC'
        then coalesce(c.cost, 0) - coalesce(c.old_cost, 0) else 0 end) as repriced_cents
    from changed c, unnest(array['minute', 'day']) as g (grain)
    where c.repriced
    group by g.grain, bucket, c.kind, c.provider, c.model
    order by g.grain, bucket, c.kind, c.provider, c.model  -- as whoever books locks them
  ),
  rolled as (
    insert into public.rollups as r (tenant_id, grain, bucket, kind, provider, model, unpriced, cost_cents,
      baseline_cost_cents, unpriced_baseline_cents, own_key_cents, repriced_cents)
    select * from grains
    on conflict (tenant_id, grain, bucket, kind, provider, model) do update set
      unpriced = r.unpriced + excluded.unpriced,
      cost_cents = r.cost_cents + excluded.cost_cents,
      baseline_cost_cents = r.baseline_cost_cents + excluded.baseline_cost_cents,
      unpriced_baseline_cents = r.unpriced_baseline_cents + excluded.unpriced_baseline_cents,
      own_key_cents = r.own_key_cents + excluded.own_key_cents,
      repriced_cents = r.repriced_cents + excluded.repriced_cents
  ),
  armed as (
    select tenant as tenant_id, a.arm, (c.at at time zone 'UTC')::date as day,
      sum((c.cost is null)::integer - (c.old_cost is null)::integer) as unpriced,
      sum(c.job - c.old_job) as cents, sum(c.job * c.job - c.old_job * c.old_job) as cents_squared,
      sum(coalesce(c.baseline, 0) - coalesce(c.old_baseline, 0)) as baseline_cents
    from changed c, unnest(c.arms) as a (arm)
    where c.job is not null
    group by a.arm, day
    order by a.arm, day
  ),
  arms_rolled as (
    insert into public.arm_rollups as r (tenant_id, arm, day, unpriced, cents, cents_squared, baseline_cents)
    select * from armed
    on conflict (tenant_id, arm, day) do update set
      unpriced = r.unpriced + excluded.unpriced,
      cents = r.cents + excluded.cents,
      cents_squared = r.cents_squared + excluded.cents_squared,
      baseline_cents = r.baseline_cents + excluded.baseline_cents
  ),
  audited as (
    insert into public.audit_log (tenant_id, actor, action, subject, detail)
    select tenant, actor, 'ledger.repriced', run::text, jsonb_build_object('attempts', count(*), 'since', min(c.at),
      'until', max(c.at), 'cents_before', coalesce(sum(c.old_cost), 0)::text, 'cents_after', coalesce(sum(c.cost), 0)::text,
      'unpriced_before', count(*) filter (where c.old_cost is null),
      'unpriced_after', count(*) filter (where c.cost is null))
    from changed c where c.repriced having count(*) > 0
  )
  select count(*) into count_changed from changed c where c.repriced;
  return count_changed;
end $$;

-- What was learned about how providers count tokens: running sums over calls, each weighted so that relative errors count.
-- Of no tenant, and without a word of any prompt.
create table private.token_sums (
  provider text not null,
  model text not null,
  calls bigint not null default 0,        -- all that were learned from
  w double precision not null default 0,
  x double precision not null default 0,  -- what we counted
  y double precision not null default 0,  -- what the provider reported
  xx double precision not null default 0,
  xy double precision not null default 0,
  primary key (provider, model)
);
alter table private.token_sums enable row level security;

-- Adds sums as a JSON array of rows of private.token_sums; what was learned before loses half of its weight with each
-- `half_life` calls. Rows are locked in one order.
create function private.learn_tokens(sums jsonb, half_life double precision) returns void
language sql volatile security definer set search_path = '' as $$
  insert into private.token_sums as t (provider, model, calls, w, x, y, xx, xy)
  select s.provider, s.model, s.calls, s.w, s.x, s.y, s.xx, s.xy
  from jsonb_populate_recordset(null::private.token_sums, sums) s
  order by s.provider, s.model
  on conflict (provider, model) do update set
    calls = t.calls + excluded.calls,
    w = t.w * 0.5 ^ (excluded.calls / half_life) + excluded.w,
    x = t.x * 0.5 ^ (excluded.calls / half_life) + excluded.x,
    y = t.y * 0.5 ^ (excluded.calls / half_life) + excluded.y,
    xx = t.xx * 0.5 ^ (excluded.calls / half_life) + excluded.xx,
    xy = t.xy * 0.5 ^ (excluded.calls / half_life) + excluded.xy
$$;

create function private.all_token_sums() returns setof private.token_sums
language sql stable security definer set search_path = '' as $$
  select * from private.token_sums
$$;

do $$
declare
  made regprocedure;
begin
  foreach made in array array[
    'private.reprice(uuid, uuid, text, jsonb, date)', 'private.learn_tokens(jsonb, double precision)', 'private.all_token_sums()'
  ]::regprocedure[] loop
    execute format('revoke execute on function %s from public, anon, authenticated', made);
    execute format('grant execute on function %s to aico_service', made);
  end loop;
end $$;
