-- Quotas that hold under any number of requests at once: what a job may use is reserved in the statement that stores it,
-- what it used is charged in the statement that meters it, and the rest is given back in the statement that ends it. A
-- tenant's row in public.tenants is locked first by all three, so that they follow one another.

-- Whose limit it is. All that apply must have room, so that nobody loosens another's.
alter table public.quotas
  add column source text not null default 'operator' check (source in ('plan', 'operator', 'tenant')),
  add constraint quotas_scope check (scope ~ '^(tenant|key:[0-9a-f-]{36}|tag:.{1,64})$'),
  drop constraint quotas_pkey,
  add primary key (tenant_id, scope, period, unit, source);

-- What one calendar window (UTC) of a quota has seen. Quotas of several sources share it.
create table public.quota_windows (
  tenant_id uuid not null references public.tenants on delete cascade,
  scope text not null,
  period text not null,
  unit text not null,
  starts_at timestamptz not null,
  used numeric(24, 6) not null default 0,      -- metered, by jobs that were submitted in this window
  reserved numeric(24, 6) not null default 0,  -- by those of them that have not ended
  alerted smallint not null default 0,         -- the greatest share of the least quota that was told of, in percent
  primary key (tenant_id, scope, period, unit, starts_at)
) with (fillfactor = 50);

-- What was told to webhook endpoints, and can be read later. An occasion is told of once.
create table public.alerts (
  id uuid not null default gen_random_uuid(),
  tenant_id uuid not null references public.tenants on delete cascade,
  kind text not null check (kind in ('quota.threshold_reached', 'spend.anomaly')),
  occasion text not null,
  detail jsonb not null,
  created_at timestamptz not null default now(),
  primary key (tenant_id, id),
  unique (tenant_id, kind, occasion)
);
create index alerts_log on public.alerts (tenant_id, created_at, id);

alter table public.jobs
  add column expected_tokens bigint not null default 0,
  add column expected_cents numeric(20, 6) not null default 0,
  -- {scope, period, unit, starts_at, amount} of each window in which it reserved something. On the job itself, so that
  -- there is no reservation without a job.
  add column reserved jsonb;

do $$
declare
  noun text;
begin
  foreach noun in array array['quota_windows', 'alerts'] loop
    execute format('alter table public.%I enable row level security', noun);
    execute format('alter table public.%I force row level security', noun);
    execute format(
      'create policy member_reads on public.%I for select to authenticated
         using (tenant_id = any (array(select private.my_tenants())))', noun);
    execute format(
      'create policy service_works on public.%I for all to aico_service
         using (tenant_id = any (array(select private.service_tenants())))
         with check (tenant_id = any (array(select private.service_tenants())))', noun);
    execute format('revoke all on public.%I from public, anon, authenticated', noun);
    execute format('grant select, insert, update, delete on public.%I to aico_service', noun);
    execute format('grant select on public.%I to authenticated', noun);
  end loop;
end $$;

-- The quotas that what is done with this key and these tags counts against.
create function private.scopes_of(api_key uuid, tags text[]) returns text[]
language sql immutable set search_path = '' as $$
  select array_remove(array['tenant', 'key:' || api_key] || array(select distinct 'tag:' || t.tag from unnest(tags) as t (tag)), null)
$$;

create function private.window_start(period text, moment timestamptz) returns timestamptz
language sql stable set search_path = '' as $$
  select date_trunc(period, moment, 'UTC')
$$;

create function private.window_end(period text, starts_at timestamptz) returns timestamptz
language sql stable set search_path = '' as $$
  select (starts_at at time zone 'UTC' + ('1 ' || period)::interval) at time zone 'UTC'
$$;

-- Takes the locks under which the windows of these tenants change, in one order, so that nobody deadlocks. Tenants
-- without a quota are passed over.
create function private.lock_limited(tenants uuid[]) returns void
language plpgsql volatile set search_path = '' as $$
begin
  perform from public.tenants t
  where t.id = any (tenants) and exists (select from public.quotas q where q.tenant_id = t.id)
  order by t.id for no key update;
end $$;

-- A quota with its present window.
create type private.open_quota as (
  scope text, period text, unit text, source text, quota numeric, starts_at timestamptz, used numeric, reserved numeric
);

-- The least quota of each scope, period and unit; those that last longest first.
create function private.open_quotas(tenant uuid, scopes text[]) returns setof private.open_quota
language sql stable set search_path = '' as $$
  select q.scope, q.period, q.unit, q.source, q.quota, s.starts_at, coalesce(w.used, 0), coalesce(w.reserved, 0)
  from (
    select distinct on (l.scope, l.period, l.unit) l.scope, l.period, l.unit, l.source, l.quota
    from public.quotas l where l.tenant_id = tenant and l.scope = any (scopes)
    order by l.scope, l.period, l.unit, l.quota, l.source
  ) q
  cross join lateral (select private.window_start(q.period, now()) as starts_at) s
  left join public.quota_windows w on w.tenant_id = tenant and (w.scope, w.period, w.unit, w.starts_at)
    = (q.scope, q.period, q.unit, s.starts_at)
  order by array_position(array['month', 'day', 'minute'], q.period), q.scope, q.unit
$$;

-- Reserves what new jobs may use. `asked` is a JSON array of {number, id, key, scopes, tokens, cents} in the order of the
-- numbers. A row for each job that reserved something or was refused; none for one whose idempotency key is taken, which
-- will not be stored. What needs nothing is never refused. Called under READ COMMITTED: it sees what was committed while
-- it waited for the lock.
create function private.reserve(tenant uuid, asked json) returns table (job uuid, reserved jsonb, refusal jsonb)
language plpgsql volatile rows 100 set search_path = '' as $$
declare
  quotas private.open_quota[];
  taken numeric[];
  amounts numeric[];
  one record;
  lacking integer;
begin
  perform from public.tenants t where t.id = tenant for no key update;
  quotas := array(select q from private.open_quotas(tenant, array(
    select distinct s.scope
    from json_to_recordset(asked) as a (scopes text[]) cross join lateral unnest(a.scopes) as s (scope))) q);
  taken := array(select q.reserved from unnest(quotas) q);
  for one in
    select a.* from json_to_recordset(asked)
      as a (number integer, id uuid, key text, scopes text[], tokens numeric, cents numeric)
    where not exists (
      select from public.idempotency_keys k where k.tenant_id = tenant and k.key = a.key and k.expires_at >= now()
    )
    order by a.number
  loop
    lacking := null;
    amounts := array_fill(0::numeric, array[cardinality(quotas)]);
    for i in 1 .. cardinality(quotas) loop
      continue when quotas[i].scope <> all (one.scopes);
      amounts[i] := case quotas[i].unit when 'tokens' then one.tokens when 'cents' then one.cents else 1 end;
      if amounts[i] > 0 and quotas[i].used + taken[i] + amounts[i] > quotas[i].quota
        and (lacking is null or amounts[i] > quotas[i].quota and amounts[lacking] <= quotas[lacking].quota)
      then
        lacking := i;
      end if;
    end loop;
    job := one.id;
    reserved := null;
    refusal := null;
    if lacking is not null then
      refusal := jsonb_build_object('scope', quotas[lacking].scope, 'period', quotas[lacking].period,
        'unit', quotas[lacking].unit, 'source', quotas[lacking].source, 'quota', quotas[lacking].quota::text,
        'used', quotas[lacking].used::text, 'reserved', taken[lacking]::text, 'asked', amounts[lacking]::text,
        'resets_at', private.window_end(quotas[lacking].period, quotas[lacking].starts_at), 'at', now());
      return next;
    else
      for i in 1 .. cardinality(quotas) loop
        continue when amounts[i] = 0;
        taken[i] := taken[i] + amounts[i];
        reserved := coalesce(reserved, '[]') || jsonb_build_object('scope', quotas[i].scope, 'period', quotas[i].period,
          'unit', quotas[i].unit, 'starts_at', quotas[i].starts_at, 'amount', amounts[i]);
      end loop;
      if reserved is not null then
        return next;
      end if;
    end if;
  end loop;
  insert into public.quota_windows as w (tenant_id, scope, period, unit, starts_at, reserved)
  select tenant, q.scope, q.period, q.unit, q.starts_at, t.amount - q.reserved
  from unnest(quotas) with ordinality
    as q (scope, period, unit, source, quota, starts_at, used, reserved, number)
  join unnest(taken) with ordinality as t (amount, number) using (number)
  where t.amount > q.reserved
  on conflict on constraint quota_windows_pkey do update set reserved = w.reserved + excluded.reserved;
end $$;

-- Gives back what a job reserved, once it has ended or been deleted.
create function private.release_reserved() returns trigger
language plpgsql set search_path = '' as $$
begin
  perform from public.tenants t where t.id = old.tenant_id for no key update;
  update public.quota_windows w set reserved = w.reserved - r.amount
  from jsonb_to_recordset(old.reserved)
    as r (scope text, period text, unit text, starts_at timestamptz, amount numeric)
  where w.tenant_id = old.tenant_id and (w.scope, w.period, w.unit, w.starts_at) = (r.scope, r.period, r.unit, r.starts_at);
  return null;
end $$;
create trigger jobs_release_reserved after update on public.jobs for each row
  when (old.reserved is not null and old.finished_at is null and new.finished_at is not null)
  execute function private.release_reserved();
create trigger jobs_release_deleted after delete on public.jobs for each row
  when (old.reserved is not null and old.finished_at is null)
  execute function private.release_reserved();

-- How much of a quota is used, as the greatest of the shares that are told of.
create function private.alert_level(used numeric, quota numeric) returns smallint
language sql immutable set search_path = '' as $$
  select (case when used >= quota then 100 when used * 100 >= quota * 80 then 80 when used * 2 >= quota then 50
    else 0 end)::smallint
$$;

-- Notes an alert, and makes a delivery for each enabled endpoint that wants to hear of it: figures, never prompts or
-- answers. The sweeper rings. Once an occasion.
create function private.raise_alert(tenant uuid, alert_kind text, alert_occasion text, alert_detail jsonb) returns boolean
language sql volatile set search_path = '' as $$
  with made as (
    insert into public.alerts (tenant_id, kind, occasion, detail)
    values (tenant, alert_kind, alert_occasion, alert_detail)
    on conflict on constraint alerts_tenant_id_kind_occasion_key do nothing
    returning id, created_at
  ),
  told as (
    insert into public.webhook_deliveries (tenant_id, endpoint_id, event, payload, bell_at)
    select e.tenant_id, e.id, alert_kind, jsonb_build_object('type', alert_kind, 'timestamp', m.created_at,
      'data', jsonb_build_object('id', m.id) || alert_detail), null
    from made m join public.webhook_endpoints e on e.tenant_id = tenant
    where e.enabled and (e.events = '{}' or alert_kind = any (e.events))
    for key share of e
  )
  select exists (select from made)
$$;

-- Tells of the shares of a quota that a window has passed since it was told of last.
create function private.tell_thresholds(tenant uuid, passed private.open_quota, alerted integer) returns void
language plpgsql volatile set search_path = '' as $$
declare
  level integer := private.alert_level(passed.used, passed.quota);
  share integer;
begin
  update public.quota_windows w set alerted = level
  where w.tenant_id = tenant and (w.scope, w.period, w.unit, w.starts_at)
    = (passed.scope, passed.period, passed.unit, passed.starts_at);
  foreach share in array array[50, 80, 100] loop
    continue when share <= alerted or share > level;
    perform private.raise_alert(tenant, 'quota.threshold_reached',
      concat_ws(' ', passed.scope, passed.period, passed.unit, extract(epoch from passed.starts_at)::bigint,
        trim_scale(passed.quota), share),
      jsonb_build_object('scope', passed.scope, 'period', passed.period, 'unit', passed.unit, 'source', passed.source,
        'threshold_percent', share, 'limit', trim_scale(passed.quota)::text, 'used', trim_scale(passed.used)::text,
        'starts_at', passed.starts_at, 'resets_at', private.window_end(passed.period, passed.starts_at)));
  end loop;
end $$;

-- Charges attempts as they are metered, in the window in which their job was submitted: where it reserved. Minutes are
-- not told of: they are over before anybody reads it.
create function private.charge_quotas() returns trigger
language plpgsql set search_path = '' as $$
declare
  limited uuid[];
  hit record;
begin
  limited := array(
    select distinct f.tenant_id from fresh f
    where f.kind = 'call' and exists (select from public.quotas q where q.tenant_id = f.tenant_id));
  if cardinality(limited) = 0 then
    return null;
  end if;
  perform private.lock_limited(limited);
  for hit in
    with charged as (
      insert into public.quota_windows as w (tenant_id, scope, period, unit, starts_at, used)
      select f.tenant_id, q.scope, q.period, q.unit,
        private.window_start(q.period, coalesce(j.created_at, f.at)) as starts_at,
        sum(case q.unit when 'tokens' then f.input_uncached + f.cache_read + f.cache_write + f.output
          when 'cents' then coalesce(f.cost_cents, 0) else (f.outcome = 'ok')::integer end) as used
      from fresh f
      left join public.jobs j on j.tenant_id = f.tenant_id and j.id = f.job_id
      join (
        select distinct l.tenant_id, l.scope, l.period, l.unit from public.quotas l where l.tenant_id = any (limited)
      ) q on q.tenant_id = f.tenant_id
        and q.scope = any (private.scopes_of(coalesce(f.api_key_id, j.api_key_id), j.tags))
      where f.kind = 'call'
      group by f.tenant_id, q.scope, q.period, q.unit, starts_at
      on conflict on constraint quota_windows_pkey do update set used = w.used + excluded.used
      returning w.*
    )
    select c.tenant_id, c.alerted,
      (c.scope, c.period, c.unit, l.source, l.quota, c.starts_at, c.used, c.reserved)::private.open_quota as passed
    from charged c
    cross join lateral (
      select q.quota, q.source from public.quotas q
      where q.tenant_id = c.tenant_id and (q.scope, q.period, q.unit) = (c.scope, c.period, c.unit)
      order by q.quota, q.source limit 1
    ) l
    where c.period <> 'minute' and c.starts_at = private.window_start(c.period, now())
      and private.alert_level(c.used, l.quota) > c.alerted
    order by c.tenant_id
  loop
    perform private.tell_thresholds(hit.tenant_id, hit.passed, hit.alerted);
  end loop;
  return null;
end $$;
create trigger ledger_outbox_charge after insert on public.ledger_outbox
  referencing new table as fresh for each statement execute function private.charge_quotas();

revoke execute on all functions in schema private from public, anon, authenticated;
grant execute on all functions in schema private to aico_service;
grant execute on function private.my_tenants() to authenticated;
revoke execute on function private.my_tenants() from aico_service;
