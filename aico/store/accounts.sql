-- name: by_id
select * from auth.users where id = %(id)s

-- name: by_email
select * from auth.users where lower(email) = lower(%(email)s)

-- name: page
select * from auth.users order by created_at, id limit %(limit)s offset %(offset)s

-- name: count
select count(*) as total from auth.users

-- name: create
insert into auth.users
  (id, email, encrypted_password, email_confirmed_at, raw_app_meta_data, raw_user_meta_data, banned_until)
values
  (%(id)s, %(email)s, %(password_hash)s, case when %(confirmed)s then now() end, %(app_metadata)s, %(user_metadata)s,
   %(banned_until)s)
on conflict do nothing
returning *

-- name: change
with changed as (
  update auth.users set
    email = coalesce(%(email)s, email),
    encrypted_password = coalesce(%(password_hash)s, encrypted_password),
    email_confirmed_at = case when %(confirmed)s then coalesce(email_confirmed_at, now()) else email_confirmed_at end,
    raw_app_meta_data = coalesce(%(app_metadata)s::jsonb, raw_app_meta_data),
    raw_user_meta_data = coalesce(%(user_metadata)s::jsonb, raw_user_meta_data),
    banned_until = case when %(sets_ban)s then %(banned_until)s::timestamptz else banned_until end,
    updated_at = now()
  where id = %(id)s
  returning *
), ended as (
  delete from auth.sessions s using changed c
  where s.user_id = c.id and %(password_hash)s::text is not null and s.id is distinct from %(session)s::uuid
)
select * from changed

-- name: delete
delete from auth.users where id = %(id)s returning id

-- name: open_session
with account as (
  update auth.users set last_sign_in_at = now() where id = %(user)s returning *
), session as (
  insert into auth.sessions (user_id) select id from account returning id, created_at
), token as (
  insert into auth.refresh_tokens (token_hash, session_id) select %(token_hash)s, id from session
)
select a.*, s.id as session_id, s.created_at as signed_in_at from account a, session s

-- name: session
select u.*, s.id as session_id, s.created_at as signed_in_at
from auth.sessions s join auth.users u on u.id = s.user_id
where s.id = %(session)s and u.id = %(user)s

-- name: refresh
with presented as (
  select t.token_hash, t.used_at, s.id as session_id, s.created_at as signed_in_at, u.id as user_id,
    coalesce(u.banned_until > now(), false) as banned
  from auth.refresh_tokens t
  join auth.sessions s on s.id = t.session_id
  join auth.users u on u.id = s.user_id
  where t.token_hash = %(token_hash)s
  for update of t
), judged as (
  select *, case
    when banned then 'banned'
    when used_at is null or used_at > now() - make_interval(secs => %(grace_seconds)s) then 'good'
    else 'reused'
  end as verdict
  from presented
), spent as (
  update auth.refresh_tokens t set used_at = now() from judged j
  where t.token_hash = j.token_hash and t.used_at is null and j.verdict = 'good'
), successor as (
  insert into auth.refresh_tokens (token_hash, session_id)
  select %(successor_hash)s, session_id from judged where verdict = 'good'
  on conflict (token_hash) do nothing
), ended as (
  delete from auth.sessions s using judged j where s.id = j.session_id and j.verdict = 'reused'
)
select u.*, j.session_id, j.signed_in_at, j.verdict from judged j join auth.users u on u.id = j.user_id

-- name: end_sessions
delete from auth.sessions
where user_id = %(user)s and case %(scope)s
  when 'local' then id = %(session)s
  when 'others' then id <> %(session)s
  else true
end
