-- Whose the schemas are, and what new objects in them grant: migrations/db/init-scripts of supabase/postgres.
create schema extensions authorization postgres;
create schema auth authorization supabase_admin;
create schema storage authorization supabase_admin;
create schema realtime authorization supabase_admin;
create schema graphql_public authorization supabase_admin;
create schema pgbouncer authorization supabase_admin;

grant usage on schema public, extensions, graphql_public to postgres, anon, authenticated, service_role;
grant usage on schema auth, storage, realtime to anon, authenticated, service_role;
grant usage on schema auth to postgres;
grant usage on schema storage, realtime to postgres with grant option;
grant all on schema auth to supabase_auth_admin, dashboard_user;
grant all on schema storage to supabase_storage_admin, dashboard_user;
grant all on schema realtime to supabase_realtime_admin with grant option;
grant all on schema extensions to dashboard_user;

do $$
declare
  owner text;
  place text;
  kind text;
begin
  foreach kind in array array['tables', 'functions', 'sequences'] loop
    foreach place in array array['public', 'storage', 'graphql_public'] loop
      foreach owner in array array['postgres', 'supabase_admin'] loop
        continue when (place, owner) in (('storage', 'supabase_admin'), ('graphql_public', 'postgres'));
        execute format('alter default privileges for role %I in schema %I grant all on %s'
          ' to postgres, anon, authenticated, service_role', owner, place, kind);
      end loop;
    end loop;
    execute format('alter default privileges for role supabase_auth_admin in schema auth'
      ' grant all on %s to postgres, dashboard_user', kind);
    execute format('alter default privileges for role supabase_admin in schema realtime'
      ' grant all on %s to postgres, dashboard_user', kind);
    execute format('alter default privileges for role supabase_admin in schema extensions'
      ' grant all on %s to postgres with grant option', kind);
  end loop;
end;
$$;

create function pgbouncer.get_auth(p_usename text) returns table (username text, password text)
language sql security definer set search_path = ''
as $$ select rolname::text, rolpassword from pg_catalog.pg_authid where rolname = p_usename $$;
revoke all on function pgbouncer.get_auth(text) from public;
grant execute on function pgbouncer.get_auth(text) to pgbouncer;
grant usage on schema pgbouncer to pgbouncer;
