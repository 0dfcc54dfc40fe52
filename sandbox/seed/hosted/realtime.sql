-- What Realtime keeps in a project's database (supabase/realtime, its tenant migrations), and the publication it reads:
-- nix/tests/expected/realtime.out of supabase/postgres.
create table realtime.schema_migrations (version bigint primary key, inserted_at timestamp(0));
create table realtime.subscription (
  id bigint generated always as identity primary key,
  subscription_id uuid not null,
  entity regclass not null,
  claims jsonb not null,
  created_at timestamp not null default timezone('utc', now())
);
create table realtime.messages (
  topic text not null,
  extension text not null,
  payload jsonb,
  event text,
  private boolean default false,
  updated_at timestamp not null default now(),
  inserted_at timestamp not null default now(),
  id uuid not null default gen_random_uuid(),
  primary key (id, inserted_at)
) partition by range (inserted_at);
create table realtime.messages_2025_11_10 partition of realtime.messages
for values from ('2025-11-10') to ('2025-11-11');
alter table realtime.messages owner to supabase_realtime_admin;
alter table realtime.messages_2025_11_10 owner to supabase_realtime_admin;
alter table realtime.messages enable row level security;
grant all on realtime.messages, realtime.messages_2025_11_10 to postgres, dashboard_user;
revoke all on realtime.schema_migrations from postgres, dashboard_user;

insert into realtime.schema_migrations values (20211116024918, '2025-02-20'), (20250714121412, '2025-07-14');

create publication supabase_realtime;
alter publication supabase_realtime owner to postgres;
