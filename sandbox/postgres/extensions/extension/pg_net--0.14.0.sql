-- Tables as supabase/pg_net has them: unlogged, and no configuration.
create schema net;
create unlogged table net.http_request_queue (
  id bigserial,
  method text not null,
  url text not null,
  headers jsonb,
  body bytea,
  timeout_milliseconds integer not null
);
create unlogged table net._http_response (
  id bigint,
  status_code integer,
  content text,
  error_msg text,
  created timestamptz not null default now()
);
create function net.http_get(url text, timeout_milliseconds integer default 5000) returns bigint
language sql security definer set search_path = ''
as $$ insert into net.http_request_queue (method, url, timeout_milliseconds) values ('GET', $1, $2) returning id $$;
