-- Changes of tables that change rarely are told to those of its members who listen. Whatever changes with each job is told
-- by ticks instead, never row by row.
do $$
declare
  noun text;
begin
  if not exists (select from pg_publication where pubname = 'supabase_realtime' and not puballtables) then
    return;  -- no Realtime here, or one that is told of every table
  end if;
  foreach noun in array array['alerts', 'batches', 'experiments', 'provider_batches'] loop
    if not exists (
      select from pg_publication_tables
      where pubname = 'supabase_realtime' and schemaname = 'public' and tablename = noun
    ) then
      execute format('alter publication supabase_realtime add table public.%I', noun);
    end if;
  end loop;
end $$;
