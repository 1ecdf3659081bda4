-- Through which door a job came, what its caller said about it beside the question, and what the tenant's policy says
-- where the caller did not.
alter table public.tenants
  add column fallback boolean not null default true,  -- another model may answer where the one that was named fails
  add column cache_mode text check (cache_mode in ('off', 'exact', 'semantic', 'refresh'));  -- null: the service's

alter table public.jobs
  add column surface text not null default 'job' check (surface in ('job', 'chat', 'response')),
  add column echo jsonb not null default '{}',      -- what that door shows again and no other part reads
  add column streams boolean not null default false,  -- pieces of the answer are published as they come
  add column controls jsonb not null default '{}',
  add column tags text[] not null default '{}',
  add column batch_line integer,                    -- from 1
  add column custom_id text;                        -- the caller's name of that line
-- As it was written: models fill in a schema in the order of its fields, which jsonb does not keep.
alter table public.jobs alter column request type json using request::json;
drop index public.jobs_batch;
create unique index jobs_batch on public.jobs (tenant_id, batch_id, batch_line) where batch_id is not null;

-- Whether the last turn is a user's text and nothing else: only such turns are compared by meaning.
create function private.in_plain_words(request json) returns boolean
language sql immutable set search_path = '' as $$
  select request #>> '{messages,-1,role}' = 'user' and json_typeof(request #> '{messages,-1,content}') = 'string'
$$;

-- Who holds this key, and the policy of its tenant as far as a request has to know it.
drop function private.authenticate_key(bytea);
create function private.authenticate_key(key_hash bytea)
returns table (key_id uuid, tenant_id uuid, scopes text[], cache_mode text)
language sql stable security definer set search_path = '' as $$
  select k.id, k.tenant_id, k.scopes, t.cache_mode
  from public.api_keys k
  join public.tenants t on t.id = k.tenant_id
  where k.hash = key_hash and k.revoked_at is null and (k.expires_at is null or k.expires_at > now())
$$;

-- A caller may say how old an answer may be: an older neighbour must not hide a younger one that would do.
alter table public.cache_vectors add column created_at timestamptz not null default now();
drop function public.match_cache_entries(uuid, bytea, text, extensions.halfvec, real, integer);
create function public.match_cache_entries(
  tenant uuid,
  cache_namespace bytea,
  embedding_model text,
  query_embedding extensions.halfvec(384),
  similarity_threshold real default 0.95,
  match_count integer default 1,
  max_age interval default null
) returns table (id uuid, answer jsonb, routing jsonb, similarity real)
language sql stable security invoker set search_path = '' as $$
  select e.id, e.answer, e.routing, nearest.similarity
  from (
    select v.entry_id, (-(v.embedding operator(extensions.<#>) query_embedding))::real as similarity
    from public.cache_vectors v
    where v.tenant_id = tenant and v.namespace = cache_namespace and v.model = embedding_model
      and v.expires_at > now() and (max_age is null or v.created_at >= now() - max_age)
    order by v.embedding operator(extensions.<#>) query_embedding
    limit match_count
  ) nearest
  join public.cache_entries e on e.tenant_id = tenant and e.id = nearest.entry_id
  where nearest.similarity >= similarity_threshold
  order by nearest.similarity desc
$$;

-- As before, but lines of a batch are not announced one by one: its end is.
create or replace function private.announce(tenants uuid[], jobs uuid[], statuses text[])
returns table (tenant_id uuid, job_id uuid, delivery_id uuid)
language sql volatile set search_path = '' as $$
  insert into public.webhook_deliveries (tenant_id, endpoint_id, job_id, event, payload)
  select e.tenant_id, e.id, d.job, 'job.' || d.status, private.job_event(d.job, d.status)
  from unnest(tenants, jobs, statuses) as d (tenant, job, status)
  join public.webhook_endpoints e on e.tenant_id = d.tenant
  where e.enabled and (e.events = '{}' or 'job.' || d.status = any (e.events))
    and not exists (
      select from public.jobs j where j.tenant_id = d.tenant and j.id = d.job and j.batch_id is not null
    )
  for key share of e
  returning tenant_id, job_id, id
$$;

revoke execute on all functions in schema public, private from public, anon, authenticated;
grant execute on all functions in schema private to aico_service;
grant execute on function private.my_tenants() to authenticated;
revoke execute on function private.my_tenants() from aico_service;
grant execute on function public.match_cache_entries, public.get_user_cache_stats to authenticated, aico_service;
