-- Schema, entry point and the event trigger that supabase/pg_graphql installs.
create sequence graphql.seq_schema_version cycle;
create function graphql.resolve(query text) returns jsonb language sql
as $$ select jsonb_build_object('data', null, 'errors', jsonb_build_array('a stand-in resolves nothing')) $$;
create function graphql.increment_schema_version() returns event_trigger language plpgsql security definer
as $$ begin perform pg_catalog.nextval('graphql.seq_schema_version'); end $$;
create event trigger graphql_watch_ddl on ddl_command_end execute function graphql.increment_schema_version();
create event trigger graphql_watch_drop on sql_drop execute function graphql.increment_schema_version();
