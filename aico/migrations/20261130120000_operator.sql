-- Where a request stood in its trace when it made a job: W3C's `traceparent`, stored while traces are on and for requests
-- alone. It holds random numbers, nothing of what was asked and nothing of who asked.
alter table public.jobs add column traceparent text check (traceparent ~ '^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$');
