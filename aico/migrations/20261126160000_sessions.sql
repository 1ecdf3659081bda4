-- Whether a sign-in has not been signed out since. An access token outlives its session; what administers a tenant asks.
create function private.session_lives(sign_in uuid, holder uuid) returns boolean
language sql stable security definer set search_path = '' as $$
  select exists (select from auth.sessions s where s.id = sign_in and s.user_id = holder)
$$;
revoke execute on function private.session_lives(uuid, uuid) from public, anon, authenticated;
grant execute on function private.session_lives(uuid, uuid) to aico_service;
