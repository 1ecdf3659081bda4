-- name: take_on
select private.take_on_checks(%(limit)s) as looked
