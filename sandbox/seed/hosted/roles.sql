-- The roles of a hosted project, their attributes, settings and memberships, as supabase/postgres has them: migrations/db,
-- and what its own tests expect in nix/tests/expected/roles.out and z_17_roles.out. Run by supabase_admin, who is the superuser.
-- Left out: pg_read_all_data for postgres. Projects differ in it, and without it tables of others stay closed
-- (github.com/supabase/supabase issues 39744 and 10982), which is the harder case.
alter role supabase_admin set search_path to "$user", public, auth, extensions;

create role anon nologin;
create role authenticated nologin;
create role service_role nologin bypassrls;
create role authenticator login noinherit;
create role dashboard_user nologin createdb createrole replication;
create role pgbouncer login;
create role supabase_auth_admin login noinherit createrole;
create role supabase_storage_admin login noinherit createrole;
create role supabase_realtime_admin login noinherit createrole replication;
create role supabase_functions_admin login noinherit createrole;
create role supabase_replication_admin login replication;
create role supabase_read_only_user login bypassrls;
create role postgres login createdb createrole replication bypassrls;

grant anon, authenticated, service_role to authenticator;
grant authenticator to supabase_storage_admin;
grant pg_read_all_data to supabase_read_only_user;
grant anon, authenticated, service_role, authenticator, pg_monitor, pg_signal_backend to postgres with admin option;
grant pg_create_subscription to postgres;

alter role anon set statement_timeout = '3s';
alter role authenticated set statement_timeout = '8s';
alter role authenticator set statement_timeout = '8s';
alter role authenticator set lock_timeout = '8s';
alter role postgres set search_path to "$user", public, extensions;
alter role supabase_auth_admin set search_path to auth;
alter role supabase_auth_admin set idle_in_transaction_session_timeout = 60000;
alter role supabase_storage_admin set search_path to storage;
alter role supabase_realtime_admin set search_path to realtime;

alter database postgres owner to postgres;
-- supabase.com/docs/guides/database/postgres/timeouts: two minutes for roles that have no timeout of their own.
alter database postgres set statement_timeout = '2min';
grant all on database postgres to postgres, dashboard_user;
