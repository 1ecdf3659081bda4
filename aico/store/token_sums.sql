-- name: learn
select private.learn_tokens(%(sums)s, %(half_life)s)

-- name: everything
select provider, model, calls, w, x, y, xx, xy from private.all_token_sums()
