-- Answers that can be served again, and beside them a narrow table of vectors that is searched exactly, tenant first.
create table public.cache_entries (
  id uuid not null,
  tenant_id uuid not null references public.tenants on delete cascade,
  namespace bytea not null,
  fingerprint bytea not null,
  job_id uuid not null,                   -- the job that paid for the answer
  answer jsonb not null,
  routing jsonb not null,                 -- how the answer came about; a hit keeps this provenance
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  primary key (tenant_id, id),
  unique (tenant_id, fingerprint)
);
create index cache_entries_expiry on public.cache_entries (expires_at);

create table public.cache_vectors (
  tenant_id uuid not null references public.tenants on delete cascade,
  namespace bytea not null,
  model text not null,                    -- fingerprint of the embedding variant: only equals are compared
  entry_id uuid not null,
  embedding extensions.halfvec(384) not null,
  expires_at timestamptz not null,        -- its entry's: an expired neighbour must not hide a live one
  primary key (tenant_id, entry_id),
  foreign key (tenant_id, entry_id) references public.cache_entries (tenant_id, id) on delete cascade
);
alter table public.cache_vectors alter column embedding set storage plain;
create index cache_vectors_scope on public.cache_vectors (tenant_id, namespace, model);

-- The nearest live entries of one tenant's namespace, by exact search over L2-normalised vectors: their inner product
-- is the cosine similarity. Linear in the namespace's rows.
create function public.match_cache_entries(
  tenant uuid,
  cache_namespace bytea,
  embedding_model text,
  query_embedding extensions.halfvec(384),
  similarity_threshold real default 0.95,
  match_count integer default 1
) returns table (id uuid, answer jsonb, routing jsonb, similarity real)
language sql stable security invoker set search_path = '' as $$
  select e.id, e.answer, e.routing, nearest.similarity
  from (
    select v.entry_id, (-(v.embedding operator(extensions.<#>) query_embedding))::real as similarity
    from public.cache_vectors v
    where v.tenant_id = tenant and v.namespace = cache_namespace and v.model = embedding_model
      and v.expires_at > now()
    order by v.embedding operator(extensions.<#>) query_embedding
    limit match_count
  ) nearest
  join public.cache_entries e on e.tenant_id = tenant and e.id = nearest.entry_id
  where nearest.similarity >= similarity_threshold
  order by nearest.similarity desc
$$;

-- Deletes answers that may no longer be served, and their vectors with them. Returns how many.
create function private.purge_expired_answers(batch_size integer) returns bigint
language sql volatile security definer set search_path = '' as $$
  with purged as (
    delete from public.cache_entries e
    using (
      select l.tenant_id, l.id from public.cache_entries l where l.expires_at < now()
      order by l.expires_at limit batch_size for update skip locked
    ) expired
    where e.tenant_id = expired.tenant_id and e.id = expired.id
    returning 1
  )
  select count(*) from purged
$$;
