-- Rows of all tenants come in turn and lie scattered: exact search read a page a row. The index now holds all that
-- the search needs, so the rows of one namespace lie together. No other index leads with the tenant: a search by the
-- primary key, which looks cheaper where a namespace is most of its tenant, would read the table row by row.
alter table public.cache_vectors
  drop constraint cache_vectors_pkey,
  add primary key (entry_id, tenant_id),
  drop constraint cache_vectors_tenant_id_entry_id_fkey,
  add foreign key (entry_id, tenant_id) references public.cache_entries (id, tenant_id) on delete cascade;
drop index public.cache_vectors_scope;
create index cache_vectors_scope on public.cache_vectors (tenant_id, namespace, model)
  include (entry_id, expires_at, created_at, embedding);
alter table public.cache_vectors set (autovacuum_vacuum_insert_scale_factor = 0.02);  -- or the table is read after all

-- A namespace with very many answers has an approximate index over its own vectors and nobody else's. It is built
-- beside the service by whoever owns the tables, and is used once it has been found to agree with exact search.
create table public.cache_indexes (
  tenant_id uuid not null references public.tenants on delete cascade,
  namespace bytea not null,
  model text not null,                     -- fingerprint of the embedding variant
  name text not null,                      -- of the index on cache_vectors
  -- building: there is none yet, or its recall is not known; used: it is searched; rejected: it missed too much and is
  -- gone, until the namespace has grown and it is tried again.
  state text not null default 'building' check (state in ('building', 'used', 'rejected')),
  rows bigint not null,                    -- that the namespace had when this was last decided
  recall real,                             -- share of the nearest neighbours that it found,
  recall_8 real,                           -- and of the nearest eight
  built_at timestamptz,
  checked_at timestamptz,
  primary key (tenant_id, namespace, model)
);
alter table public.cache_indexes enable row level security;
alter table public.cache_indexes force row level security;
create policy member_reads on public.cache_indexes for select to authenticated
  using (tenant_id = any (array(select private.my_tenants())));
create policy service_works on public.cache_indexes for all to aico_service
  using (tenant_id = any (array(select private.service_tenants())))
  with check (tenant_id = any (array(select private.service_tenants())));
revoke all on public.cache_indexes from public, anon, authenticated;
grant select on public.cache_indexes to aico_service, authenticated;

-- The nearest live vectors of one namespace, nearest first; the distance is the negative cosine similarity, computed
-- once a row. Which plan runs is its caller's to say. Always by an index that leads with the tenant, in one process:
-- other requests need the other cores.
create function private.search_vectors(
  tenant uuid,
  cache_namespace bytea,
  embedding_model text,
  query_embedding extensions.halfvec(384),
  match_count integer,
  max_age interval
) returns table (entry_id uuid, distance double precision)
language plpgsql stable rows 8
set search_path = ''
set enable_seqscan = 'off'
set enable_bitmapscan = 'off'
set max_parallel_workers_per_gather = '0'
set jit = 'off'
as $$
begin
  return query
  select v.entry_id, v.embedding operator(extensions.<#>) query_embedding
  from public.cache_vectors v
  where v.tenant_id = tenant and v.namespace = cache_namespace and v.model = embedding_model
    and v.expires_at > now() and (max_age is null or v.created_at >= now() - max_age)
  order by 2
  limit match_count;
end
$$;

-- By exact search: a plan that does not know the tenant cannot use an index that is one tenant's. Linear in the rows of
-- the namespace.
create function private.nearest_exactly(
  tenant uuid,
  cache_namespace bytea,
  embedding_model text,
  query_embedding extensions.halfvec(384),
  match_count integer,
  max_age interval default null
) returns table (entry_id uuid, distance double precision)
language sql stable rows 8 set search_path = '' set plan_cache_mode = 'force_generic_plan' as $$
  select * from private.search_vectors(tenant, cache_namespace, embedding_model, query_embedding, match_count, max_age)
$$;

-- By the namespace's own index: only a plan that is made for these very values can be shown that the index covers
-- them. Statistics do not know how many rows a namespace has, so the plan is not left to its price. The scan goes on
-- along the index while rows are not live or are too old, up to 20,000 rows.
create function private.nearest_by_index(
  tenant uuid,
  cache_namespace bytea,
  embedding_model text,
  query_embedding extensions.halfvec(384),
  match_count integer,
  max_age interval default null
) returns table (entry_id uuid, distance double precision)
language sql stable rows 8 set search_path = '' set plan_cache_mode = 'force_custom_plan' set enable_sort = 'off' as $$
  select * from private.search_vectors(tenant, cache_namespace, embedding_model, query_embedding, match_count, max_age)
$$;
do $$
begin
  perform '[1]'::extensions.halfvec;  -- loads the library, whose settings exist from then on
  alter function private.nearest_by_index set hnsw.ef_search = 100;
  if exists (select from pg_settings where name = 'hnsw.iterative_scan') then  -- pgvector 0.8; none is built without
    alter function private.nearest_by_index set hnsw.iterative_scan = 'strict_order';
  end if;
end $$;

-- One way or the other, at the cost of one look at a primary key.
create function private.nearest_vectors(
  tenant uuid,
  cache_namespace bytea,
  embedding_model text,
  query_embedding extensions.halfvec(384),
  match_count integer,
  max_age interval default null
) returns table (entry_id uuid, distance double precision)
language plpgsql stable rows 8 set search_path = '' as $$
begin
  if exists (
    select from public.cache_indexes i
    where i.tenant_id = tenant and i.namespace = cache_namespace and i.model = embedding_model and i.state = 'used'
  ) then
    return query select n.entry_id, n.distance
    from private.nearest_by_index(tenant, cache_namespace, embedding_model, query_embedding, match_count, max_age) n;
  else
    return query select n.entry_id, n.distance
    from private.nearest_exactly(tenant, cache_namespace, embedding_model, query_embedding, match_count, max_age) n;
  end if;
end
$$;

-- As before, but by the namespace's own index where it has one that is used. That few rows come of a search is said,
-- for else all entries of the tenant are read to join them.
create or replace function private.nearest_entries(
  tenant uuid,
  cache_namespace bytea,
  embedding_model text,
  query_embedding extensions.halfvec(384),
  least_similarity real,
  match_count integer,
  max_age interval default null
) returns table (id uuid, question text, model text, answer_group uuid, compared boolean, similarity real)
language sql stable rows 8 set search_path = '' as $$
  select e.id, e.question, e.model, e.answer_group, e.compared, (-n.distance)::real
  from private.nearest_vectors(tenant, cache_namespace, embedding_model, query_embedding, match_count, max_age) n
  join public.cache_entries e on e.tenant_id = tenant and e.id = n.entry_id
  where (-n.distance)::real >= least_similarity and e.question is not null
  order by n.distance
$$;

-- Members' own searches stay exact whatever indexes there are.
alter function public.match_cache_entries set plan_cache_mode = 'force_generic_plan';

revoke execute on all functions in schema public, private from public, anon, authenticated;
grant execute on all functions in schema private to aico_service;
grant execute on function private.my_tenants(), private.programme_of(uuid) to authenticated;
revoke execute on function private.my_tenants() from aico_service;
grant execute on function public.match_cache_entries, public.get_user_cache_stats to authenticated, aico_service;
