-- What a namespace's calibration holds for: it is not used where another is needed, and computed anew. Null: not noted.
alter table public.cache_namespaces
  add column features_version smallint not null default 1,  -- of what scores are made of
  add column embedding_model text,                          -- whose cosines are among that
  add column target double precision,                       -- the error per hit that was allowed
  add column confidence double precision;

alter table public.cache_checks
  add column features_version smallint not null default 1,
  add column allowed double precision;                      -- the error per hit, when it was decided; null: as now
