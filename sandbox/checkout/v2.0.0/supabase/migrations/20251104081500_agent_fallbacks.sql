-- Each time that the menu answered in an agent's place, and why.
create table public.agent_fallbacks (
  id bigint generated always as identity primary key,
  session_id uuid references public.agent_sessions (id) on delete set null,
  message_id text,
  phone text not null,
  agent text not null,
  reason text not null
    check (reason in ('error', 'timeout', 'disabled', 'rate_limited', 'low_confidence')),
  detail text,
  created_at timestamptz not null default now()
);

create index agent_fallbacks_created_at_idx on public.agent_fallbacks (created_at, reason);
create index agent_fallbacks_phone_idx on public.agent_fallbacks (phone);

alter table public.agent_fallbacks enable row level security;

-- The hosted platform has this role; a bare PostgreSQL does not.
do $$
begin
  if exists (select from pg_roles where rolname = 'service_role') then
    grant all on public.agent_fallbacks to service_role;
    create policy "the service role does everything" on public.agent_fallbacks
    for all to service_role using (true) with check (true);
  end if;
end;
$$;
