-- The end of a background response is announced in OpenAI's words, which its clients verify and read.

-- What an endpoint is told about it: ids, never prompts or answers.
create function private.response_event(job uuid, event text) returns jsonb
language sql volatile set search_path = '' as $$
  select jsonb_build_object('id', 'evt_' || replace(gen_random_uuid()::text, '-', ''), 'object', 'event',
    'created_at', extract(epoch from now())::bigint, 'type', event,
    'data', jsonb_build_object('id', 'resp_' || replace(job::text, '-', '')))
$$;

-- As before, with one word for each endpoint and job: of a background response `response.…`, if the endpoint takes that
-- (or everything); otherwise `job.…`, if it takes that. OpenAI has no word for an expired response: it has failed; and a
-- refusal in words is a whole answer to it.
create or replace function private.announce(tenants uuid[], jobs uuid[], statuses text[])
returns table (tenant_id uuid, job_id uuid, delivery_id uuid)
language sql volatile set search_path = '' as $$
  insert into public.webhook_deliveries (tenant_id, endpoint_id, job_id, event, payload)
  select e.tenant_id, e.id, d.job, said.event, case when said.event like 'response.%'
    then private.response_event(d.job, said.event) else private.job_event(d.job, d.status) end
  from unnest(tenants, jobs, statuses) as d (tenant, job, status)
  join public.webhook_endpoints e on e.tenant_id = d.tenant
  left join public.jobs j on j.tenant_id = d.tenant and j.id = d.job
  cross join lateral (
    select w.event from (
      select 1 as rank, 'response.' || case when d.status = 'expired' then 'failed'
        when (j.answer ->> 'refused')::boolean then 'completed' else d.status end as event
      where j.surface = 'response' and (j.echo ->> 'background')::boolean
      union all
      select 2, 'job.' || d.status
    ) w
    where e.events = '{}' or w.event = any (e.events)
    order by w.rank limit 1
  ) said
  where e.enabled and j.batch_id is null
  for key share of e
  returning tenant_id, job_id, id
$$;

revoke execute on all functions in schema private from public, anon, authenticated;
grant execute on all functions in schema private to aico_service;
grant execute on function private.my_tenants() to authenticated;
revoke execute on function private.my_tenants() from aico_service;
