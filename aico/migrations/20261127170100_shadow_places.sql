-- The place in a rate limit that a pair waits for: whoever takes it on next takes that, and not another one behind it.
alter table public.shadow_pairs add column reserved text;
