-- Run with client-side binding, so a percent sign of SQL is written twice. What a project's own people have made beside its
-- migrations, in the dashboard: accounts that refer to auth.users and storage.objects, a trigger that makes them, a published
-- table, a scheduled job, a secret.
set role postgres;

create table public.accounts (
  id uuid primary key references auth.users (id) on delete cascade,
  user_id uuid unique references public.users (id) on delete cascade,
  picture_id uuid references storage.objects (id) on delete set null,
  created_at timestamptz not null default now()
);
alter table public.accounts enable row level security;
create policy "people read their own account" on public.accounts for select to authenticated
using (id = (select auth.uid()));

create function public.handle_new_user() returns trigger language plpgsql security definer set search_path = ''
as $$
begin
  insert into public.accounts (id, user_id)
  values (new.id, (select u.id from public.users u where u.phone = new.phone))
  on conflict do nothing;
  return new;
end $$;
create trigger on_auth_user_created after insert on auth.users
for each row execute function public.handle_new_user();
alter publication supabase_realtime add table public.vendors;

reset role;

insert into auth.users (instance_id, id, aud, role, email, encrypted_password, email_confirmed_at, phone, phone_confirmed_at,
  raw_app_meta_data, raw_user_meta_data, created_at, updated_at)
select '00000000-0000-0000-0000-000000000000', md5('account' || n)::uuid, 'authenticated', 'authenticated',
  'person' || n || '@example.com', '$2a$10$' || left(md5('hash' || n) || md5('more' || n), 53), u.created_at, u.phone, u.created_at,
  '{"provider": "phone", "providers": ["phone"]}', jsonb_build_object('name', u.display_name), u.created_at, u.created_at
from (select row_number() over (order by phone) n, * from public.users) u where n <= %(users)s / 4;
insert into auth.identities (provider_id, user_id, identity_data, provider, created_at, updated_at)
select id::text, id, jsonb_build_object('sub', id, 'email', email), 'phone', created_at, created_at from auth.users;
insert into auth.sessions (id, user_id, created_at, updated_at, aal)
select md5('session' || id)::uuid, id, created_at, created_at, 'aal1' from auth.users;
insert into auth.refresh_tokens (token, user_id, revoked, created_at, updated_at, session_id)
select left(md5('token' || id), 22), user_id, false, created_at, created_at, id from auth.sessions;

insert into storage.buckets (id, name, public) values ('pictures', 'pictures', true), ('receipts', 'receipts', false);
insert into storage.objects (id, bucket_id, name, owner, owner_id, metadata)
select md5('picture' || id)::uuid, 'pictures', id || '/me.jpg', id, id::text, '{"size": 20480, "mimetype": "image/jpeg"}'
from auth.users;
update public.accounts set picture_id = md5('picture' || id)::uuid;

insert into realtime.messages (topic, extension, event, inserted_at)
select 'vendors', 'broadcast', 'INSERT', '2025-11-10 12:00'::timestamp + n * interval '1 minute' from generate_series(1, 5) n;
insert into cron.job (schedule, command, nodename, nodeport, database, username, jobname)
values ('0 3 * * *', 'delete from public.whatsapp_messages where false', 'localhost', 5432, 'postgres', 'postgres', 'nightly');
insert into vault.secrets (name, description, secret) values ('webhook', 'a made-up secret', md5('webhook'));
analyze;
