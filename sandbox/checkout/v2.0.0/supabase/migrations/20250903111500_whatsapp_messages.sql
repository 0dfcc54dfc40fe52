-- Every message in and out, as WhatsApp gave it to us.
create table public.whatsapp_messages (
  id bigint generated always as identity primary key,
  message_id text not null unique,
  phone text not null,
  direction text not null check (direction in ('in', 'out')),
  body text not null,
  payload jsonb not null default '{}',
  created_at timestamptz not null default now()
);

create index whatsapp_messages_phone_created_at_idx
on public.whatsapp_messages (phone, created_at desc);

comment on column public.whatsapp_messages.payload is 'The webhook''s value object; large.';

alter table public.whatsapp_messages enable row level security;

-- The hosted platform has these roles; a bare PostgreSQL does not.
do $$
begin
  if exists (select from pg_roles where rolname = 'service_role') then
    grant usage on schema public to anon, authenticated, service_role;
    grant all on all tables in schema public to service_role;
    grant select on public.vendors, public.products, public.stations, public.drivers,
      public.properties to anon, authenticated;
    grant select on public.users to authenticated;
  end if;
end;
$$;
-- The log is read by the service role alone.
