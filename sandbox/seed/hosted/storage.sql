-- Tables of the storage server (supabase/storage, migrations/tenant), their owner and who may what: nix/tests/expected/storage.out
-- of supabase/postgres.
set role supabase_storage_admin;

create table storage.migrations (
  id integer primary key,
  name varchar(100) not null unique,
  hash varchar(40) not null,
  executed_at timestamp default current_timestamp
);
create table storage.buckets (
  id text primary key,
  name text not null,
  owner uuid,
  created_at timestamptz default now(),
  updated_at timestamptz default now(),
  public boolean default false,
  avif_autodetection boolean default false,
  file_size_limit bigint,
  allowed_mime_types text[],
  owner_id text
);
create unique index bname on storage.buckets (name);
create table storage.objects (
  id uuid primary key default gen_random_uuid(),
  bucket_id text references storage.buckets (id),
  name text,
  owner uuid,
  created_at timestamptz default now(),
  updated_at timestamptz default now(),
  last_accessed_at timestamptz default now(),
  metadata jsonb,
  path_tokens text[] generated always as (string_to_array(name, '/')) stored,
  version text,
  owner_id text,
  user_metadata jsonb
);
create unique index bucketid_objname on storage.objects (bucket_id, name);
create index name_prefix_search on storage.objects (name text_pattern_ops);

create function storage.foldername(name text) returns text[] language sql immutable
as $$ select trim_array(string_to_array(name, '/'), 1) $$;
create function storage.filename(name text) returns text language sql immutable
as $$ select (string_to_array(name, '/'))[array_upper(string_to_array(name, '/'), 1)] $$;
create function storage.update_updated_at_column() returns trigger language plpgsql
as $$ begin new.updated_at := now(); return new; end $$;
create trigger update_objects_updated_at before update on storage.objects
for each row execute function storage.update_updated_at_column();

alter table storage.migrations enable row level security;
alter table storage.buckets enable row level security;
alter table storage.objects enable row level security;
grant all on storage.buckets, storage.objects to postgres with grant option;
grant all on storage.buckets, storage.objects to anon, authenticated, service_role;

insert into storage.migrations (id, name, hash)
select n, 'migration-' || n, md5(n::text) from generate_series(0, 2) n;
reset role;
