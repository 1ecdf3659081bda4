-- What a cached answer was an answer to, so that a question near it can be compared word by word and not only by vector,
-- and which other answers say the same.
alter table public.cache_entries
  add column question text,                -- its last turn; null: kept before this was, and never served by meaning
  add column tags text[] not null default '{}',   -- of the job that paid for it
  add column model text generated always as (routing ->> 'model') stored,
  add column answer_group uuid not null default gen_random_uuid(),  -- answers of one group serve each other's questions
  add column compared boolean not null default true,  -- with the answer nearest to it when it was made, if there was one
  add column hits bigint not null default 0,
  add column hit_at timestamptz,           -- the last time that it was served
  add column good integer not null default 0,   -- judgements of it as an answer to another question
  add column bad integer not null default 0;
create index cache_entries_group on public.cache_entries (tenant_id, namespace, answer_group);

-- The entry nearest to a job's question, where one was near enough to be looked at but was not served.
alter table public.jobs add column near_entry uuid;

-- Questions that may share answers: all that the requests have in common but the last turn. What is known of the error
-- that is made by serving one's answer for another.
create table public.cache_namespaces (
  tenant_id uuid not null references public.tenants on delete cascade,
  namespace bytea not null,
  label text not null default '',          -- how its instructions begin
  -- learning: too little is known, and only what is nearly the same is served; serving: what scores at least the cut;
  -- probation: an answer was wrong, and none is served until it is known whether more are; suspended: more were, and
  -- none is served until there is enough evidence of the time since then.
  state text not null default 'learning' check (state in ('learning', 'serving', 'probation', 'suspended')),
  evidence_since timestamptz,              -- earlier verdicts no longer count
  cut double precision,                    -- the least score that is served; null: the service's for a new namespace
  weights double precision[],              -- of the scores; null: the service's
  bound double precision,                  -- of the error per hit at the cut, at the confidence that was asked for
  judged bigint not null default 0,        -- samples that the cut was computed of,
  above bigint not null default 0,         -- of these at or above the cut,
  wrong bigint not null default 0,         -- and of these with the wrong answer
  audited bigint not null default 0,       -- hits that were judged
  verdicts bigint not null default 0,      -- grows with each; what was computed last is of this many:
  computed bigint not null default 0,
  computed_at timestamptz,
  created_at timestamptz not null default now(),
  primary key (tenant_id, namespace)
);

-- Samples of decisions of the cache: an answer that was served, or might have been, and whether it was right.
create table public.cache_checks (
  tenant_id uuid not null references public.tenants on delete cascade,
  job_id uuid not null,                    -- whose question it was
  namespace bytea not null,
  entry_id uuid not null,                  -- whose answer was looked at; it may be gone
  -- hit: it was served; held: it would have been, if the namespace were not on probation; near: it scored too little.
  kind text not null check (kind in ('hit', 'held', 'near')),
  chance real not null check (chance > 0 and chance <= 1),  -- with which it was drawn
  similarity real not null,                -- cosine of the two questions
  score double precision not null,         -- the log-odds by which it was decided, and of what they were made
  features double precision[] not null,
  fingerprint bytea not null,              -- of the question, to serve it exactly once the verdict is known
  embedding extensions.halfvec(384),
  embedding_model text,
  status text not null default 'waiting' check (status in ('waiting', 'judged', 'dropped')),
  verdict boolean,                         -- whether the answer served the question as well
  source text check (source in ('judge', 'user', 'same')),
  created_at timestamptz not null default now(),
  judged_at timestamptz,
  primary key (tenant_id, job_id),
  foreign key (tenant_id, job_id) references public.jobs (tenant_id, id) on delete cascade
);
create index cache_checks_judged on public.cache_checks (tenant_id, namespace, judged_at) where status = 'judged';

do $$
declare
  noun text;
begin
  foreach noun in array array['cache_namespaces', 'cache_checks'] loop
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

create index cache_namespaces_due on public.cache_namespaces (computed_at) where verdicts > computed;

-- Of all tenants, namespaces with more verdicts than were computed with: enough of them, or older ones; each with one of
-- its checks. Only ids, for the sweeper to ring.
create function private.due_namespaces(batch_size integer, enough integer, patience double precision)
returns table (tenant_id uuid, job_id uuid)
language sql stable security definer set search_path = '' as $$
  select n.tenant_id, c.job_id
  from public.cache_namespaces n
  cross join lateral (
    select l.job_id from public.cache_checks l
    where l.tenant_id = n.tenant_id and l.namespace = n.namespace and l.status = 'judged'
    order by l.judged_at desc limit 1
  ) c
  where n.verdicts > n.computed and (n.verdicts - n.computed >= enough or n.computed_at is null
    or n.computed_at < now() - make_interval(secs => patience))
  limit batch_size
$$;

-- What a tenant allows; null: the service's.
alter table public.tenants
  add column max_error_rate double precision check (max_error_rate > 0 and max_error_rate <= 0.5),  -- per hit
  add column cache_guards text check (cache_guards in ('strict', 'lenient', 'off'));

-- The nearest live entries of one tenant's namespace, nearest first, by exact search over L2-normalised vectors: their
-- inner product is the cosine similarity. Linear in the namespace's rows.
create function private.nearest_entries(
  tenant uuid,
  cache_namespace bytea,
  embedding_model text,
  query_embedding extensions.halfvec(384),
  least_similarity real,
  match_count integer,
  max_age interval default null
) returns table (id uuid, question text, model text, answer_group uuid, compared boolean, similarity real)
language sql stable set search_path = '' as $$
  select e.id, e.question, e.model, e.answer_group, e.compared, nearest.similarity
  from (
    select v.entry_id, (-(v.embedding operator(extensions.<#>) query_embedding))::real as similarity
    from public.cache_vectors v
    where v.tenant_id = tenant and v.namespace = cache_namespace and v.model = embedding_model
      and v.expires_at > now() and (max_age is null or v.created_at >= now() - max_age)
    order by v.embedding operator(extensions.<#>) query_embedding
    limit match_count
  ) nearest
  join public.cache_entries e on e.tenant_id = tenant and e.id = nearest.entry_id
  where nearest.similarity >= least_similarity and e.question is not null
  order by nearest.similarity desc
$$;

revoke execute on all functions in schema public, private from public, anon, authenticated;
grant execute on all functions in schema private to aico_service;
grant execute on function private.my_tenants(), private.programme_of(uuid) to authenticated;
revoke execute on function private.my_tenants() from aico_service;
grant execute on function public.match_cache_entries, public.get_user_cache_stats to authenticated, aico_service;
