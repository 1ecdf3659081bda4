-- name: tables
select c.relname as name,
  array(
    select a.attname::text from pg_catalog.pg_attribute a
    where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      and a.atttypid not in ('bytea'::regtype, 'extensions.halfvec'::regtype)
    order by a.attnum
  ) as columns,
  array(
    select a.attname::text from pg_catalog.pg_index i
    cross join unnest(i.indkey::smallint[]) with ordinality as k (number, place)
    join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = k.number
    where i.indrelid = c.oid and i.indisprimary and a.attname <> 'tenant_id'
    order by k.place
  ) as key,
  array(
    select format_type(a.atttypid, a.atttypmod) from pg_catalog.pg_index i
    cross join unnest(i.indkey::smallint[]) with ordinality as k (number, place)
    join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = k.number
    where i.indrelid = c.oid and i.indisprimary and a.attname <> 'tenant_id'
    order by k.place
  ) as types
from pg_catalog.pg_class c
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') order by c.relname

-- name: page
with s as (
  select {columns}, array[{texts}]::text[] as place_of_the_row, row_number() over (order by {key}) as number_of_the_row
  from {table} where {owner} = %(tenant)s and {beyond} order by {key} limit %(limit)s
),
page as (
  select row_to_json(r)::text as text, s.place_of_the_row as place, s.number_of_the_row as number
  from s cross join lateral (select {shown}) r
),
sized as (
  select *, sum(octet_length(text)) over (order by number) - octet_length(text) as before from page
)
select text, place from sized where before < %(bytes)s order by number

-- name: begin
with held as (
  update public.data_requests d set file_id = %(file)s, counts = '{}'
  where d.tenant_id = %(tenant)s and d.id = %(id)s and d.fence = %(fence)s and d.finished_at is null
  returning d.*
),
former as (  -- of an attempt that was cut off
  delete from public.files f where f.tenant_id = %(tenant)s and f.id = %(former)s and not f.complete
    and exists (select from held)
)
insert into public.files (id, tenant_id, filename, purpose, expires_at)
select %(file)s, h.tenant_id, 'export_' || replace(h.id::text, '-', '') || '.zip', 'export',
  now() + make_interval(secs => %(ttl)s)
from held h
returning id

-- name: append
with held as (
  update public.data_requests d set counts = %(counts)s
  where d.tenant_id = %(tenant)s and d.id = %(id)s and d.fence = %(fence)s and d.finished_at is null
    and d.file_id = %(file)s
  returning d.tenant_id
)
insert into public.file_chunks (tenant_id, file_id, position, data)
select f.tenant_id, f.id, %(position)s, %(data)s
from held h join public.files f on f.tenant_id = h.tenant_id and f.id = %(file)s and not f.complete
returning position

-- name: note
insert into public.audit_log (tenant_id, actor, action, subject, detail)
values (%(tenant)s, %(actor)s, 'export.completed', %(tenant)s, jsonb_build_object('sha256', %(sha256)s::text))

-- name: complete
with ended as (
  update public.data_requests d
  set status = 'completed', counts = %(counts)s, sha256 = %(sha256)s, finished_at = now(), lease_until = null
  where d.tenant_id = %(tenant)s and d.id = %(id)s and d.fence = %(fence)s and d.finished_at is null
    and d.file_id = %(file)s
  returning d.*
),
whole as (
  update public.files f
  set complete = true, bytes = %(bytes)s, expires_at = now() + make_interval(secs => %(ttl)s)
  from ended e where f.tenant_id = e.tenant_id and f.id = e.file_id
),
audited as (
  insert into public.audit_log (tenant_id, actor, action, subject, detail)
  select tenant_id, requested_by, 'export.completed', id::text, jsonb_build_object('sha256', sha256) from ended
)
select id from ended
