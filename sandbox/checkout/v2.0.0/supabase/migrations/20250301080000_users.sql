-- People who write to us on WhatsApp.
create table public.users (
  id uuid primary key default gen_random_uuid(),
  phone text not null unique check (phone ~ '^2507[0-9]{8}$'),
  display_name text not null,
  language text not null default 'rw' check (language in ('rw', 'en', 'fr', 'sw')),
  is_internal boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create index users_created_at_idx on public.users (created_at);

create function public.set_updated_at() returns trigger
language plpgsql
as $$
begin
  new.updated_at := now();
  return new;
end;
$$;

create trigger users_set_updated_at
before update on public.users
for each row execute function public.set_updated_at();

-- The phone number in the caller's token; null without one.
create function public.current_phone() returns text
language sql
stable
as $fn$
  select nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'phone';
$fn$;

alter table public.users enable row level security;

create policy "users read themselves" on public.users
for select using (phone = public.current_phone());
