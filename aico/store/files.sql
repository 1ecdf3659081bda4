-- name: begin
insert into public.files (id, tenant_id, filename, purpose, expires_at)
values (%(id)s, %(tenant)s, %(filename)s, %(purpose)s, now() + make_interval(secs => %(patience)s))

-- name: append
insert into public.file_chunks (tenant_id, file_id, position, data)
select f.tenant_id, f.id, %(position)s, %(data)s from public.files f
where f.tenant_id = %(tenant)s and f.id = %(id)s and not f.complete
returning position

-- name: complete
update public.files f
set complete = true, bytes = %(bytes)s, expires_at = f.created_at + make_interval(secs => %(ttl)s)
where f.tenant_id = %(tenant)s and f.id = %(id)s and not f.complete
returning f.id, f.filename, f.purpose, f.bytes, f.created_at, f.expires_at

-- name: discard
delete from public.files where tenant_id = %(tenant)s and id = %(id)s and not complete

-- name: get
select id, filename, purpose, bytes, created_at, expires_at from public.files
where tenant_id = %(tenant)s and id = %(id)s and complete and expires_at > now()

-- name: page_desc
select id, filename, purpose, bytes, created_at, expires_at from public.files
where tenant_id = %(tenant)s and complete and expires_at > now()
  and (%(after)s::uuid is null or id < %(after)s) and (%(purpose)s::text is null or purpose = %(purpose)s)
order by id desc limit %(limit)s

-- name: page_asc
select id, filename, purpose, bytes, created_at, expires_at from public.files
where tenant_id = %(tenant)s and complete and expires_at > now()
  and (%(after)s::uuid is null or id > %(after)s) and (%(purpose)s::text is null or purpose = %(purpose)s)
order by id limit %(limit)s

-- name: delete
delete from public.files
where tenant_id = %(tenant)s and id = %(id)s and complete and not private.in_use(tenant_id, id)
returning id

-- name: chunk
select position, data from public.file_chunks
where tenant_id = %(tenant)s and file_id = %(id)s and position <= %(offset)s
order by position desc limit 1

-- name: purge
select private.purge_files(%(limit)s) as purged
