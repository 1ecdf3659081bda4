-- Members who ask the database directly, by Supabase's own API, see no more than this service's API shows their role.
do $$
declare
  shown record;
begin
  for shown in
    select * from (values
      ('audit_log', '{owner,admin}'),
      ('api_keys', '{owner,admin}'),
      ('webhook_endpoints', '{owner,admin,member}'),
      ('webhook_deliveries', '{owner,admin,member}')
    ) as tables (name, roles)
  loop
    execute format(
      'alter policy member_reads on public.%I using (tenant_id = any (array(
         select m.tenant_id from public.members m
         where m.user_id = (select auth.uid()) and m.role = any (%L::text[]))))', shown.name, shown.roles);
  end loop;
end $$;

-- A member hears what is broadcast on `tenant:<id of the own tenant>:<what about>`, and sends nothing. Realtime asks by a
-- row of the topic that is to be heard; a row of another topic is not shown either.
create policy member_hears on realtime.messages for select to authenticated
  using (
    extension = 'broadcast' and topic = (select realtime.topic())
    and split_part(topic, ':', 1) = 'tenant' and split_part(topic, ':', 3) <> ''
    and split_part(topic, ':', 2) = any (array(select own::text from private.my_tenants() own))
  );
