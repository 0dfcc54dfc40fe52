-- == drop an existing table
-- destructive: drop-table
DROP TABLE users;

-- == drop an existing table, even to make it again
-- destructive: drop-table
DROP TABLE IF EXISTS public.users;
CREATE TABLE public.users (id uuid PRIMARY KEY);

-- == drop a table that is not there, IF EXISTS
DROP TABLE IF EXISTS legacy_users;

-- == drop a table this run made
CREATE TABLE scratch (id int);
DROP TABLE scratch CASCADE;

-- == drop several tables of which one is old
CREATE TABLE scratch (id int);
-- destructive: drop-table
DROP TABLE scratch, orders;

-- == drop with a quoted name in another case
-- destructive: drop-table
dRoP /* ; */ TaBlE "public" . "users" CASCADE;

-- == drop an index
-- destructive: drop-index
DROP INDEX CONCURRENTLY IF EXISTS orders_user_id_idx;

-- == drop an index to make it again
-- destructive: drop-index
DROP INDEX IF EXISTS orders_user_id_idx;
CREATE INDEX CONCURRENTLY orders_user_id_idx ON orders (user_id);

-- == drop an index this run made
CREATE TABLE scratch (id int);
CREATE INDEX scratch_id ON scratch (id);
DROP INDEX scratch_id;

-- == drop a type, a domain, a sequence, a schema, an extension, a materialized view
-- destructive: drop-type
DROP TYPE order_status;
-- destructive: drop-type
DROP DOMAIN positive_amount;
-- destructive: drop-sequence
DROP SEQUENCE order_numbers;
-- destructive: drop-schema
DROP SCHEMA app CASCADE;
-- destructive: drop-extension
DROP EXTENSION IF EXISTS pgcrypto;
-- destructive: drop-materialized-view
DROP MATERIALIZED VIEW daily_totals;

-- == drop a type, a schema, an extension that this run made
CREATE TYPE mood AS ENUM ('good', 'bad');
DROP TYPE mood;
CREATE SCHEMA scratch;
DROP SCHEMA scratch CASCADE;
CREATE EXTENSION citext;
DROP EXTENSION citext;

-- == drop a policy and make it again
DROP POLICY IF EXISTS "Read own" ON public.users;
CREATE POLICY "Read own" ON users FOR SELECT USING (auth.uid() = id);

-- == drop a policy for good
-- destructive: drop-not-recreated
DROP POLICY "Read own" ON users;

-- == drop a policy and make one of another name
-- destructive: drop-not-recreated
DROP POLICY "Read own" ON users;
CREATE POLICY "read own" ON users USING (true);

-- == drop a policy and make it on another table
-- destructive: drop-not-recreated
DROP POLICY "Read own" ON users;
CREATE POLICY "Read own" ON orders USING (true);

-- == make a policy again before it is dropped
CREATE POLICY "Read own" ON users USING (true);
-- destructive: drop-not-recreated
DROP POLICY "Read own" ON users;

-- == make a policy again in a later file
-- file 1.sql
-- destructive: drop-not-recreated
DROP POLICY "Read own" ON users;
-- file 2.sql
CREATE POLICY "Read own" ON users USING (true);

-- == drop a policy that is not there, IF EXISTS
DROP POLICY IF EXISTS "Nobody" ON users;

-- == drop a policy of a new table
CREATE TABLE notes (id int);
DROP POLICY IF EXISTS "Read own" ON notes;
CREATE POLICY "Read own" ON notes USING (true);
DROP POLICY "Read own" ON notes;

-- == drop a trigger and make it again
DROP TRIGGER IF EXISTS users_touch ON users;
CREATE TRIGGER users_touch BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

-- == drop a trigger for good
-- destructive: drop-not-recreated
DROP TRIGGER users_touch ON users;

-- == drop a function and make it again
DROP FUNCTION IF EXISTS archive_old(integer);
CREATE FUNCTION archive_old(days int) RETURNS void LANGUAGE sql AS 'SELECT 1';
DROP FUNCTION total_of(int);
CREATE FUNCTION total_of(number int DEFAULT 7) RETURNS integer LANGUAGE sql AS 'SELECT 1';
DROP FUNCTION near(int, int);
CREATE FUNCTION near(x int, y int = 3) RETURNS TABLE (id uuid, title text) LANGUAGE sql AS 'SELECT NULL, NULL';

-- == drop a function by its name alone and make it again
DROP FUNCTION archive_old;
CREATE FUNCTION public.archive_old(days int) RETURNS void LANGUAGE sql AS 'SELECT 1';

-- == drop a function and make it with more arguments that have defaults
DROP FUNCTION archive_old(int);
CREATE FUNCTION archive_old(days int, dry_run bool DEFAULT false) RETURNS void LANGUAGE sql AS 'SELECT 1';

-- == drop one of several functions of a name and make it with more arguments that have defaults
-- destructive: drop-not-recreated
DROP FUNCTION total_of(int);
CREATE FUNCTION total_of(int, rounded bool DEFAULT false) RETURNS int LANGUAGE sql AS 'SELECT 1';

-- == drop all functions of a name and make one with more arguments that have defaults
-- destructive: drop-not-recreated
DROP FUNCTION total_of(uuid);
DROP FUNCTION total_of(int);
CREATE FUNCTION total_of(int, rounded bool DEFAULT false) RETURNS int LANGUAGE sql AS 'SELECT 1';

-- == drop a function and make it with another result
DROP FUNCTION archive_old(int);
-- destructive: replacement-differs
CREATE FUNCTION archive_old(days int) RETURNS int LANGUAGE sql AS 'SELECT 1';
DROP FUNCTION near(int, int);
-- destructive: replacement-differs
CREATE FUNCTION near(x int, y int DEFAULT 1) RETURNS TABLE (id uuid, name text) LANGUAGE sql AS 'SELECT NULL, NULL';

-- == drop a function and make it return one row instead of many
DROP FUNCTION near;
-- destructive: replacement-differs
CREATE FUNCTION near(x int, y int DEFAULT 1, OUT id uuid, OUT title text) LANGUAGE sql AS 'SELECT NULL, NULL';

-- == drop a function and make it with other names or fewer defaults
DROP FUNCTION archive_old(int);
-- destructive: replacement-differs
CREATE FUNCTION archive_old(months int) RETURNS void LANGUAGE sql AS 'SELECT 1';
DROP FUNCTION near(int, int);
-- destructive: replacement-differs
CREATE FUNCTION near(x int, y int) RETURNS TABLE (id uuid, title text) LANGUAGE sql AS 'SELECT NULL, NULL';

-- == drop a function and make a procedure of it
DROP FUNCTION archive_old(int);
-- destructive: replacement-differs
CREATE PROCEDURE archive_old(days int) LANGUAGE sql AS 'SELECT 1';

-- == drop a function and make it with other arguments
-- destructive: drop-not-recreated
DROP FUNCTION archive_old(int);
CREATE FUNCTION archive_old(days int, dry_run bool) RETURNS void LANGUAGE sql AS 'SELECT 1';

-- == drop a function and its dependents
-- destructive: drop-cascade
DROP FUNCTION touch_updated_at() CASCADE;
CREATE FUNCTION touch_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;

-- == drop one of several functions of a name without its arguments
-- destructive: drop-not-recreated
DROP FUNCTION total_of;
CREATE FUNCTION total_of(integer) RETURNS int LANGUAGE sql AS 'SELECT 1';

-- == drop a view and make it again
DROP VIEW IF EXISTS active_users;
CREATE VIEW active_users AS SELECT id, name, email FROM users;
DROP VIEW active_users;
CREATE VIEW active_users AS SELECT u.*, count(*) AS orders FROM users u JOIN orders o ON o.user_id = u.id GROUP BY u.id;
DROP VIEW active_users;
CREATE VIEW active_users (id, name) AS SELECT user_id, status::text FROM orders;

-- == drop a view and make it with fewer columns, or columns of another type
DROP VIEW active_users;
-- destructive: replacement-differs
CREATE VIEW active_users AS SELECT id FROM users;
DROP VIEW active_users;
-- destructive: replacement-differs
CREATE VIEW active_users AS SELECT id::text, name FROM users;
DROP VIEW active_users;
-- destructive: replacement-differs
CREATE VIEW active_users AS SELECT o.* FROM orders o;

-- == drop a view and a function, and their privileges with them
DROP VIEW phones;
-- destructive: replacement-grants
CREATE VIEW phones AS SELECT name FROM users;
DROP FUNCTION pay(int);
-- destructive: replacement-grants
CREATE FUNCTION pay(sum int) RETURNS int LANGUAGE sql AS 'SELECT 1';
DROP VIEW app.mine;
-- destructive: replacement-differs
CREATE VIEW app.mine AS SELECT 1 AS one;

-- == drop a view and a function, and grant and revoke what they had
DROP VIEW phones;
CREATE VIEW phones AS SELECT name FROM users;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO clerk;
DROP FUNCTION pay(int);
CREATE FUNCTION pay(sum int, twice bool DEFAULT false) RETURNS int LANGUAGE sql AS 'SELECT 1';
REVOKE ALL ON FUNCTION pay(int, bool) FROM PUBLIC;
DO $$ BEGIN GRANT EXECUTE ON FUNCTION pay(int, bool) TO clerk, guest; END $$;
DROP FUNCTION near(int, int);
-- destructive: replacement-grants
CREATE FUNCTION near(x int, y int = 3) RETURNS TABLE (id uuid, title text) LANGUAGE sql AS 'SELECT NULL, NULL';
-- destructive: revoke
REVOKE ALL ON FUNCTION near FROM PUBLIC;
GRANT EXECUTE ON FUNCTION near TO CURRENT_USER;
DROP FUNCTION near(int, int);
CREATE FUNCTION near(x int, y int = 3) RETURNS TABLE (id uuid, title text) LANGUAGE sql AS 'SELECT NULL, NULL';

-- == drop a function and take it from those who could call it
DROP FUNCTION pay(int);
-- destructive: replacement-grants
CREATE FUNCTION pay(sum int) RETURNS int LANGUAGE sql AS 'SELECT 1';
REVOKE ALL ON FUNCTION pay(int) FROM PUBLIC;

-- == drop a view and make it with unknown columns
CREATE TABLE members (id uuid);
DROP VIEW active_users;
-- unknown: replacement-unclear
CREATE VIEW active_users AS SELECT * FROM members;

-- == a view that is made again with other options
CREATE OR REPLACE VIEW app.mine WITH (security_invoker = on) AS SELECT 1 AS one WITH LOCAL CHECK OPTION;
CREATE OR REPLACE VIEW app.mine WITH (security_invoker, security_barrier = false, check_option = 'local') AS SELECT 1 AS one;
CREATE OR REPLACE VIEW active_users AS SELECT id, name FROM users;
-- destructive: replacement-differs
CREATE OR REPLACE VIEW app.mine AS SELECT 1 AS one WITH LOCAL CHECK OPTION;
-- destructive: replacement-differs
CREATE OR REPLACE VIEW app.mine WITH (security_invoker = 1) AS SELECT 1 AS one;
DROP VIEW active_users;
-- destructive: replacement-differs
CREATE VIEW active_users WITH (security_invoker) AS SELECT id, name FROM users;

-- == drop a view and make it of a star in a WITH or a subquery
DROP VIEW active_users;
CREATE VIEW active_users AS WITH a AS (SELECT *, 1 AS one FROM users) SELECT a.*, 2 AS two FROM a;
DROP VIEW active_users;
CREATE VIEW active_users AS SELECT * FROM (WITH b (id, name) AS (SELECT id, name FROM users) TABLE b) AS s (id);
DROP VIEW active_users;
-- destructive: replacement-differs
CREATE VIEW active_users AS WITH a AS (SELECT id, email FROM users) SELECT * FROM a;
DROP VIEW active_users;
-- destructive: replacement-differs
CREATE VIEW active_users AS SELECT s.* FROM (SELECT id::text, name FROM users) s;
DROP VIEW active_users;
-- destructive: replacement-differs
CREATE VIEW active_users AS WITH users AS (SELECT id AS number FROM orders) SELECT * FROM users;
DROP VIEW active_users;
-- unknown: replacement-unclear
CREATE VIEW active_users AS WITH RECURSIVE a AS (SELECT * FROM a) SELECT * FROM a;

-- == drop a view and make a table of its name
-- destructive: drop-not-recreated
DROP VIEW active_users;
CREATE TABLE active_users (id int);

-- == a view that becomes a table or a materialized view
-- destructive: drop-not-recreated
DROP VIEW active_users;
CREATE TABLE active_users (id int);
CREATE INDEX ON active_users (id);
-- destructive: drop-cascade
DROP VIEW phones CASCADE;
CREATE MATERIALIZED VIEW phones AS SELECT '1' AS phone;
CREATE INDEX ON phones (phone);

-- == a view that perhaps becomes a table
-- destructive: drop-not-recreated
DO $$ BEGIN IF now() > '2030-01-01' THEN DROP VIEW active_users; END IF; END $$;
CREATE TABLE IF NOT EXISTS active_users (id int);
-- destructive: index-blocks
CREATE INDEX ON active_users (id);

-- == drop a view and its dependents
-- destructive: drop-cascade
DROP VIEW active_users CASCADE;
CREATE VIEW active_users AS SELECT id FROM users;

-- == drop a view in one schema and make it in another
-- destructive: drop-not-recreated
DROP VIEW public.active_users;
CREATE VIEW app.active_users AS SELECT id FROM users;

-- == drop an aggregate, an operator, a cast and make them again
DROP AGGREGATE IF EXISTS first_of(anyelement);
CREATE AGGREGATE first_of(anyelement) (sfunc = array_append, stype = anyarray);
DROP OPERATOR === (text, text);
CREATE OPERATOR === (leftarg = text, rightarg = text, function = texteq);
DROP CAST (text AS order_status);
CREATE CAST (text AS order_status) WITH INOUT;

-- == drop an aggregate, an operator, a cast, a rule for good
-- destructive: drop-not-recreated
DROP AGGREGATE first_of(anyelement);
-- destructive: drop-not-recreated
DROP OPERATOR === (text, text);
-- destructive: drop-not-recreated
DROP CAST (text AS order_status);
-- destructive: drop-not-recreated
DROP RULE keep ON orders;

-- == drop a publication, a server, an event trigger
-- destructive: drop-object
DROP PUBLICATION supabase_realtime;
-- destructive: drop-object
DROP SERVER warehouse;
-- destructive: drop-object
DROP EVENT TRIGGER watch;

-- == drop in one branch, make again in the other
-- destructive: drop-not-recreated
DO $$ BEGIN
  IF EXISTS (SELECT FROM pg_policies WHERE policyname = 'Read own') THEN
    DROP POLICY "Read own" ON users;
  ELSE
    CREATE POLICY "Read own" ON users USING (true);
  END IF;
END $$;

-- == drop in a branch, make again after it
DO $$ BEGIN
  IF EXISTS (SELECT FROM pg_policies WHERE policyname = 'Read own') THEN
    DROP POLICY "Read own" ON users;
  END IF;
  CREATE POLICY "Read own" ON users USING (true);
END $$;

-- == drop, and perhaps return before it is made again
-- destructive: drop-not-recreated
DO $$ BEGIN
  DROP POLICY "Read own" ON users;
  IF now() > '2030-01-01' THEN RETURN; END IF;
  CREATE POLICY "Read own" ON users USING (true);
END $$;

-- == return from a loop or a block
-- destructive: drop-not-recreated
DO $$ BEGIN
  DROP POLICY "Read own" ON users;
  WHILE now() > '2030-01-01' LOOP RETURN; END LOOP;
  CREATE POLICY "Read own" ON users USING (true);
END $$;
-- destructive: drop-not-recreated
DO $$ BEGIN
  DROP POLICY "Read own" ON users;
  BEGIN IF now() > '2030-01-01' THEN RETURN; END IF; END;
  CREATE POLICY "Read own" ON users USING (true);
END $$;

-- == return where the database says that it is not needed
DO $$ BEGIN
  IF to_regclass('public.users') IS NULL THEN RETURN; END IF;
  DROP POLICY "Read own" ON users;
  IF to_regclass('public.carts') IS NOT NULL AND now() > '2030-01-01' THEN RETURN; END IF;
  CREATE POLICY "Read own" ON users USING (true);
END $$;
DO $$ BEGIN
  IF to_regclass('public.carts') IS NULL THEN RETURN; END IF;
  DELETE FROM users;
END $$;
-- destructive: rows-deleted
DO $$ BEGIN
  IF now() > '2030-01-01' THEN RETURN; ELSE NULL; END IF;
  DELETE FROM users;
END $$;

-- == drop, and make again unless it is there
DROP POLICY IF EXISTS "Read own" ON users;
DO $$ BEGIN
  CREATE POLICY "Read own" ON users USING (true);
EXCEPTION WHEN duplicate_object THEN NULL;
END $$;

-- == drop, and make again whatever goes wrong
-- destructive: drop-not-recreated
DROP POLICY IF EXISTS "Read own" ON users;
DO $$ BEGIN
  CREATE POLICY "Read own" ON users USING (true);
EXCEPTION WHEN OTHERS THEN RAISE NOTICE 'no';
END $$;

-- == without a catalog, a function that an earlier schema of the search path may have
-- without a catalog
CREATE FUNCTION app.archive_old(int) RETURNS int LANGUAGE sql AS 'SELECT 1';
SET search_path = public, app;
-- destructive: drop-not-recreated
DROP FUNCTION archive_old(int);
