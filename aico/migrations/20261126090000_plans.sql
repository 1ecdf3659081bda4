-- What a tenant has subscribed to. Null: nothing, as where the operator serves his own people; then no plan limits it.
alter table public.tenants add column plan text check (plan in ('free', 'pro', 'business', 'enterprise'));
