-- The state of a conversation between one person and one agent.
create table public.agent_sessions (
  id uuid primary key default gen_random_uuid(),
  phone text not null,
  agent text not null,
  status text not null default 'pending'
    check (status in ('pending', 'active', 'completed', 'expired', 'failed')),
  context jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  completed_at timestamptz
);

create index agent_sessions_phone_idx on public.agent_sessions (phone, created_at desc);
create index agent_sessions_pending_idx on public.agent_sessions (created_at) where status = 'pending';

create trigger agent_sessions_set_updated_at
before update on public.agent_sessions
for each row execute function public.set_updated_at();

alter table public.agent_sessions enable row level security;

-- The hosted platform has this role; a bare PostgreSQL does not.
do $$
begin
  if exists (select from pg_roles where rolname = 'service_role') then
    grant all on public.agent_sessions to service_role;
    create policy "the service role does everything" on public.agent_sessions
    for all to service_role using (true) with check (true);
  end if;
end;
$$;
