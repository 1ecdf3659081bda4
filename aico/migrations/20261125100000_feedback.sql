-- What a caller says of an answer: one word a job, which a later one replaces, with room for the reason.
alter table public.feedback add column comment text check (length(comment) between 1 and 2000);
create unique index feedback_of_user on public.feedback (tenant_id, job_id) where source = 'user';
