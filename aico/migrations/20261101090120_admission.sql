-- Who is admitted next. Jobs wait in Postgres; only as many as the route workers can soon take are let through to the
-- queues, so that the order among tenants is decided late and by one place.

-- A tenant's claim on each class. Without a row: weight 1, the general cap.
create table public.tenant_shares (
  tenant_id uuid not null references public.tenants on delete cascade,
  class text not null check (class in ('interactive', 'standard', 'batch')),
  weight double precision not null default 1 check (weight between 0.001 and 1000),
  in_flight_cap integer check (in_flight_cap >= 1),  -- null: the general one
  vtime double precision not null default 0,         -- virtual time at which its next job's turn begins
  primary key (tenant_id, class)
);

-- Interactive work has a pool of its own. The background pool is kept below the number of slots, so that some are
-- always free for somebody who waits.
create table private.pools (
  name text primary key,
  classes text[] not null,
  places integer not null,                -- jobs that may be under way at once
  tenant_cap integer not null,            -- of one tenant and class, where its share says nothing else
  clock double precision not null default 0
);
alter table private.pools enable row level security;
insert into private.pools (name, classes, places, tenant_cap) values
  ('interactive', '{interactive}', 64, 32), ('background', '{standard,batch}', 28, 28);

-- Sizes the pools for the slots that all route workers have together: interactive twice that, of which one tenant may
-- have half; the rest seven eighths.
create function private.resize_pools(slots integer) returns void
language sql volatile security definer set search_path = '' as $$
  update private.pools p set places = n.places, tenant_cap = n.tenant_cap
  from (values ('interactive', 2 * slots, slots), ('background', greatest(1, slots * 7 / 8), greatest(1, slots * 7 / 8)))
    as n (name, places, tenant_cap)
  where p.name = n.name and (p.places, p.tenant_cap) is distinct from (n.places, n.tenant_cap)
$$;

-- Everybody's admitted jobs of these classes that are not held, counted up to `bound`.
create function private.under_way(classes text[], bound integer) returns bigint
language sql stable security definer set search_path = '' as $$
  select count(*) from (
    select from public.jobs j
    where j.class = any (classes) and j.status in ('queued', 'in_progress') and j.bell_at is not null
      and j.run_after is null and j.stage <> 'lane'
    limit bound
  ) taken
$$;

-- A tenant's admitted jobs of a class, counted up to `bound`. Held ones count: they keep their place in the share, so
-- that an outage or a rate limit does not draw in the whole backlog; parked in a provider's batch they do not.
create function private.in_flight(tenant uuid, job_class text, bound integer) returns bigint
language sql stable security definer set search_path = '' as $$
  select (
    select count(*) from (
      select from public.jobs j
      where j.class = job_class and j.tenant_id = tenant and j.status in ('queued', 'in_progress')
        and j.bell_at is not null and j.run_after is null and j.stage <> 'lane'
      limit bound
    ) active
  ) + (
    select count(*) from (
      select from public.jobs j
      where j.class = job_class and j.tenant_id = tenant and j.status = 'queued' and j.run_after is not null
      limit bound
    ) held
  )
$$;

-- How many jobs of this tenant and class may start at once, without waiting for the feeder: none while an earlier one
-- waits. Counts at most as many index entries as there are places. Two submits at the same moment may both be told of
-- the same place; the feeder then admits fewer.
create function private.open_places(tenant uuid, job_class text) returns integer
language sql stable security definer set search_path = '' as $$
  select case
    when exists (
      select from public.jobs j
      where j.class = job_class and j.tenant_id = tenant and j.status = 'queued' and j.bell_at is null
    ) then 0
    else greatest(0, least(
      p.places - private.under_way(p.classes, p.places),
      coalesce(s.in_flight_cap, p.tenant_cap) - private.in_flight(tenant, job_class, coalesce(s.in_flight_cap, p.tenant_cap))
    ))::integer
  end
  from private.pools p
  left join public.tenant_shares s on s.tenant_id = tenant and s.class = job_class
  where job_class = any (p.classes)
$$;

-- Whether any job waits for its turn: most of the time none does, and the feeder need not look further.
create function private.anyone_waits() returns boolean
language sql stable security definer set search_path = '' as $$
  select exists (select from public.jobs j where j.status = 'queued' and j.bell_at is null)
$$;

-- A job that is admitted, and the virtual time that it takes.
create type private.turn as (
  pool text, tenant uuid, class text, id uuid, start double precision, until double precision
);

-- Admits by start-time fair queueing (Goyal, Vin and Cheng, 1996): a tenant's next job begins at the later of the
-- pool's clock and the end of its job before, each takes 1 / weight of virtual time, and the earliest begin first.
-- Within the background pool a standard job counts a quarter of a batch job, so that neither class can stop the other.
-- Work: the tenants that wait x log of the backlog, then at most places squared rows; one feeder at a time.
create function private.admit()
returns table (tenant_id uuid, id uuid, stage text, class text)
language plpgsql volatile security definer rows 64 set search_path = '' set jit = off as $$
declare
  chosen private.turn[];
begin
  if not pg_try_advisory_xact_lock(5041968274) then
    return;
  end if;
  with recursive pool as (
    select p.name, p.classes, p.clock, p.tenant_cap, p.places - private.under_way(p.classes, p.places) as places
    from private.pools p
  ),
  waiting as (  -- from class and tenant to the next along the index, past all the jobs of each
    select f.class, f.tenant_id as tenant
    from (select from pool where places > 0 limit 1) open cross join lateral (
      select j.class, j.tenant_id from public.jobs j
      where j.status = 'queued' and j.bell_at is null order by j.class, j.tenant_id limit 1
    ) f
    union all
    select n.class, n.tenant_id
    from waiting w cross join lateral (
      select j.class, j.tenant_id from public.jobs j
      where j.status = 'queued' and j.bell_at is null and (j.class, j.tenant_id) > (w.class, w.tenant)
      order by j.class, j.tenant_id limit 1
    ) n
  ),
  share as (
    select p.name, w.class, w.tenant, p.places, greatest(coalesce(s.vtime, 0), p.clock) as base,
      coalesce(s.weight, 1) * case w.class when 'batch' then 1 else 4 end as weight,
      n.cap - private.in_flight(w.tenant, w.class, n.cap) as free
    from waiting w
    join pool p on w.class = any (p.classes) and p.places > 0
    left join public.tenant_shares s on s.tenant_id = w.tenant and s.class = w.class
    cross join lateral (select coalesce(s.in_flight_cap, p.tenant_cap) as cap) n
  ),
  contender as (
    select * from (
      select s.*, row_number() over (partition by s.name order by s.base, s.tenant) as position
      from share s where s.free > 0
    ) ranked where position <= places
  ),
  candidate as (
    select c.name as pool, c.tenant, c.class, c.places, c.weight, l.id,
      c.base + (row_number() over (partition by c.tenant, c.class order by l.place, l.id) - 1) / c.weight as start
    from contender c
    cross join lateral (
      select j.id, j.place from public.jobs j
      where j.class = c.class and j.tenant_id = c.tenant and j.status = 'queued' and j.bell_at is null
      order by j.place, j.id limit least(c.free, c.places)
      for update skip locked
    ) l
  ),
  ordered as (
    select c.*, row_number() over (partition by c.pool order by c.start, c.id) as turn from candidate c
  )
  select array_agg((o.pool, o.tenant, o.class, o.id, o.start, o.start + 1 / o.weight)::private.turn)
  into chosen from ordered o where o.turn <= o.places;

  insert into public.tenant_shares as s (tenant_id, class, vtime)
  select c.tenant, c.class, max(c.until) from unnest(chosen) c group by c.tenant, c.class
  on conflict on constraint tenant_shares_pkey do update set vtime = excluded.vtime;
  update private.pools p set clock = n.start
  from (select c.pool, max(c.start) as start from unnest(chosen) c group by c.pool) n
  where p.name = n.pool and p.clock < n.start;
  return query
  update public.jobs j set bell_at = now() from unnest(chosen) c
  where j.tenant_id = c.tenant and j.id = c.id
  returning j.tenant_id, j.id, j.stage, j.class;
end $$;
