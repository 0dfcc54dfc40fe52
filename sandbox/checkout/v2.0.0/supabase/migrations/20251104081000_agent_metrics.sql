-- What each agent did in one window of time.
create table public.agent_metrics (
  id bigint generated always as identity primary key,
  agent text not null,
  window_start timestamptz not null,
  window_seconds integer not null default 60 check (window_seconds > 0),
  requests integer not null default 0,
  successes integer not null default 0,
  errors integer not null default 0,
  fallbacks integer not null default 0,
  p95_ms integer,
  unique (agent, window_start, window_seconds)
);

create index agent_metrics_window_start_idx on public.agent_metrics (window_start desc);

alter table public.agent_metrics enable row level security;

-- The hosted platform has this role; a bare PostgreSQL does not.
do $$
begin
  if exists (select from pg_roles where rolname = 'service_role') then
    grant all on public.agent_metrics to service_role;
    create policy "the service role does everything" on public.agent_metrics
    for all to service_role using (true) with check (true);
  end if;
end;
$$;
