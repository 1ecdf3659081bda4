-- By what a tenant's models are chosen where its callers do not say, and which quality that aims at.

alter table public.tenants
  add column strategy text check (strategy in ('complexity', 'learning', 'hybrid', 'cascade')),
  add column quality_target real check (quality_target between 0 and 1);

comment on column public.tenants.strategy is 'null: the service''s';
comment on column public.tenants.quality_target is 'of the best single model''s quality; null: the service''s';
