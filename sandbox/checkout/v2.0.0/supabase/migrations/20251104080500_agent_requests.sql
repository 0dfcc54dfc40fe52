-- One row for each message that an agent was asked to answer.
create table public.agent_requests (
  id bigint generated always as identity primary key,
  session_id uuid references public.agent_sessions (id) on delete cascade,
  message_id text,
  phone text not null,
  agent text not null,
  message text not null,
  reply text,
  success boolean not null,
  duration_ms integer not null check (duration_ms >= 0),
  error text,
  created_at timestamptz not null default now()
);

create index agent_requests_session_id_idx on public.agent_requests (session_id);
create index agent_requests_created_at_idx on public.agent_requests (created_at, agent);

alter table public.agent_requests enable row level security;

-- The hosted platform has this role; a bare PostgreSQL does not.
do $$
begin
  if exists (select from pg_roles where rolname = 'service_role') then
    grant all on public.agent_requests to service_role;
    create policy "the service role does everything" on public.agent_requests
    for all to service_role using (true) with check (true);
  end if;
end;
$$;
