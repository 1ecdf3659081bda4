-- name: may_build
select pg_has_role(c.relowner, 'member') as owns,
  (
    select string_to_array(e.extversion, '.')::integer[] >= '{0,8}' from pg_extension e where e.extname = 'vector'
  ) as walks
from pg_class c where c.oid = 'public.cache_vectors'::regclass

-- name: survey
with large as (  -- what is kept is known without being counted; only what may be large is read
  select n.tenant_id, n.namespace, v.model, v.rows
  from public.cache_namespaces n
  cross join lateral (
    select v.model, count(*) as rows from public.cache_vectors v
    where v.tenant_id = n.tenant_id and v.namespace = n.namespace
    group by v.model
    having count(*) >= %(least)s
  ) v
  where n.entries >= %(least)s
)
select coalesce(l.tenant_id, i.tenant_id) as tenant_id, coalesce(l.namespace, i.namespace) as namespace,
  coalesce(l.model, i.model) as model, coalesce(l.rows, 0) as rows, i.state, coalesce(i.rows, 0) as decided_rows,
  coalesce(x.indisvalid, false) as valid, i.recall, i.recall_8, i.built_at, pg_relation_size(c.oid) as bytes
from large l
full join public.cache_indexes i
  on i.tenant_id = l.tenant_id and i.namespace = l.namespace and i.model = l.model
left join pg_class c on c.relname = i.name and c.relnamespace = 'public'::regnamespace
left join pg_index x on x.indexrelid = c.oid
order by rows desc

-- name: orphans
select c.relname as name
from pg_index x join pg_class c on c.oid = x.indexrelid
where x.indrelid = 'public.cache_vectors'::regclass and c.relname like 'cache\_near\_%%'
  and not exists (select from public.cache_indexes i where i.name = c.relname and i.state <> 'rejected')

-- name: begin
insert into public.cache_indexes as i (tenant_id, namespace, model, name, rows)
values (%(tenant)s, %(namespace)s, %(model)s, %(name)s, %(rows)s)
on conflict (tenant_id, namespace, model) do update
  set state = 'building', name = excluded.name, rows = excluded.rows, recall = null, recall_8 = null, built_at = null,
    checked_at = null

-- name: built
update public.cache_indexes set built_at = now()
where tenant_id = %(tenant)s and namespace = %(namespace)s and model = %(model)s

-- name: decide
update public.cache_indexes
set state = %(state)s, rows = %(rows)s, recall = %(recall)s, recall_8 = %(recall_8)s, checked_at = now()
where tenant_id = %(tenant)s and namespace = %(namespace)s and model = %(model)s

-- name: forget
delete from public.cache_indexes where tenant_id = %(tenant)s and namespace = %(namespace)s and model = %(model)s

-- name: trials
with sample as materialized (
  select v.embedding from public.cache_vectors v
  where v.tenant_id = %(tenant)s and v.namespace = %(namespace)s and v.model = %(model)s and v.expires_at > now()
  order by random() limit %(sample)s
)
select e.exact, f.by_index
from sample s
cross join lateral (
  select coalesce(array_agg(-n.distance order by n.distance), '{}') as exact
  from private.nearest_exactly(%(tenant)s, %(namespace)s, %(model)s, s.embedding, %(depth)s) n
) e
cross join lateral (
  select coalesce(array_agg(-n.distance order by n.distance), '{}') as by_index
  from private.nearest_by_index(%(tenant)s, %(namespace)s, %(model)s, s.embedding, %(depth)s) n
) f
