-- The extensions of a new project and the event triggers that open them to its roles: nix/tests/expected/evtrigs.out and the
-- migrations of supabase/postgres that its names point to. What these functions do is theirs; how is ours.
create function extensions.grant_pg_cron_access() returns event_trigger language plpgsql as $$
begin
  if exists (select from pg_event_trigger_ddl_commands() c join pg_extension e on e.oid = c.objid where e.extname = 'pg_cron')
  then
    grant usage on schema cron to postgres with grant option;
    grant all on all functions in schema cron to postgres with grant option;
    grant all on all tables in schema cron to postgres with grant option;
    revoke all on cron.job from postgres;
    grant select on cron.job to postgres with grant option;
    revoke trigger on cron.job_run_details from postgres;
  end if;
end $$;
create function extensions.grant_pg_net_access() returns event_trigger language plpgsql as $$
begin
  if exists (select from pg_event_trigger_ddl_commands() c join pg_extension e on e.oid = c.objid where e.extname = 'pg_net')
  then
    grant usage on schema net to supabase_functions_admin, postgres, anon, authenticated, service_role;
    grant execute on all functions in schema net to supabase_functions_admin, postgres, anon, authenticated, service_role;
  end if;
end $$;
create function extensions.grant_pg_graphql_access() returns event_trigger language plpgsql as $$
begin
  if exists (select from pg_event_trigger_ddl_commands() c where c.object_identity like 'graphql.resolve(%') then
    grant usage on schema graphql to postgres with grant option;
    grant usage on schema graphql to anon, authenticated, service_role;
    grant execute on all functions in schema graphql to postgres, anon, authenticated, service_role;
  end if;
end $$;
create function extensions.set_graphql_placeholder() returns event_trigger language plpgsql as $$
begin
  null;
end $$;
create function extensions.pgrst_ddl_watch() returns event_trigger language plpgsql as $$
begin
  if exists (select from pg_event_trigger_ddl_commands() c where c.schema_name is distinct from 'pg_temp') then
    notify pgrst, 'reload schema';
  end if;
end $$;
create function extensions.pgrst_drop_watch() returns event_trigger language plpgsql as $$
begin
  if exists (select from pg_event_trigger_dropped_objects() o where not o.is_temporary) then
    notify pgrst, 'reload schema';
  end if;
end $$;

create event trigger issue_pg_cron_access on ddl_command_end when tag in ('CREATE EXTENSION')
execute function extensions.grant_pg_cron_access();
create event trigger issue_pg_net_access on ddl_command_end when tag in ('CREATE EXTENSION')
execute function extensions.grant_pg_net_access();
create event trigger issue_pg_graphql_access on ddl_command_end when tag in ('CREATE FUNCTION', 'CREATE EXTENSION')
execute function extensions.grant_pg_graphql_access();
create event trigger issue_graphql_placeholder on sql_drop when tag in ('DROP EXTENSION')
execute function extensions.set_graphql_placeholder();
create event trigger pgrst_ddl_watch on ddl_command_end execute function extensions.pgrst_ddl_watch();
create event trigger pgrst_drop_watch on sql_drop execute function extensions.pgrst_drop_watch();

create extension pgcrypto with schema extensions;
create extension pg_stat_statements with schema extensions;
create extension pg_cron;
create extension pg_net with schema extensions;
create extension pg_graphql;
create extension supabase_vault;

grant usage on schema vault to postgres with grant option;
grant select, delete on vault.secrets, vault.decrypted_secrets to postgres with grant option;
grant usage on schema vault to service_role;
grant select, delete on vault.secrets, vault.decrypted_secrets to service_role;
create function graphql_public.graphql(query text default null) returns jsonb language sql
as $$ select graphql.resolve(query) $$;
