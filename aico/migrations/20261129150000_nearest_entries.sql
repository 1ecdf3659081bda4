-- As before. Each entry is looked up by its key, whatever statistics say: on tables that were not analysed yet, or not
-- since they grew, all entries of the tenant were read to join these few.
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
  cross join lateral (
    select k.id, k.question, k.model, k.answer_group, k.compared
    from public.cache_entries k where k.tenant_id = tenant and k.id = n.entry_id offset 0
  ) e
  where (-n.distance)::real >= least_similarity and e.question is not null
  order by n.distance
$$;
