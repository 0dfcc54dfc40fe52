-- == harmless functions
SELECT now(), gen_random_uuid(), pg_catalog.lower('A'), auth.uid(), extensions.uuid_generate_v4();
SELECT set_config('app.release', '2', false);

-- == unknown functions
-- unknown: function
SELECT archive_old(30);
-- unknown: function
SELECT cron.schedule('nightly', '0 0 * * *', 'DELETE FROM users');
-- unknown: function
SELECT query_to_xml('DELETE FROM users', true, true, '');
-- unknown: function
SELECT lower(u) FROM users u, app_version();
-- unknown: function
CALL tidy_up();
-- unknown: function
INSERT INTO users (name) VALUES (make_name());

-- == functions of the database whose text is known
SELECT slug_of('a');
-- destructive: rows-deleted
SELECT boom();
-- destructive: rows-deleted
SELECT public.boom_through();
CREATE OR REPLACE FUNCTION boom() RETURNS int LANGUAGE sql AS 'SELECT 1';
SELECT boom(), boom_through();

-- == functions that a default, a CHECK and a view hide
CREATE TABLE notes (id int DEFAULT boom());
-- destructive: rows-deleted
INSERT INTO notes DEFAULT VALUES;
CREATE TABLE words (slug text DEFAULT slug_of('a'));
INSERT INTO words DEFAULT VALUES;
-- unknown: function
INSERT INTO words SELECT archive_old(3);
ALTER TABLE words ADD CONSTRAINT allowed CHECK (boom() > 0);
-- destructive: rows-deleted
INSERT INTO words VALUES ('x');
ALTER TABLE settings ALTER COLUMN id SET DEFAULT boom();
-- destructive: rows-deleted
INSERT INTO settings DEFAULT VALUES;
CREATE VIEW hidden AS SELECT boom();
-- destructive: rows-deleted
SELECT * FROM hidden;
-- warning: trigger-fires
INSERT INTO people DEFAULT VALUES;

-- == define a function that destroys, without calling it
CREATE FUNCTION wipe() RETURNS void LANGUAGE sql AS 'DELETE FROM users';
CREATE OR REPLACE FUNCTION touch_updated_at() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN UPDATE users SET name = 'x'; RETURN NEW; END $$;

-- == call it
CREATE FUNCTION wipe() RETURNS void LANGUAGE sql AS 'DELETE FROM users';
-- destructive: rows-deleted
SELECT wipe();
-- destructive: rows-deleted
SELECT 1 WHERE EXISTS (SELECT public.wipe());
-- destructive: rows-deleted
INSERT INTO settings (total) SELECT 1 FROM wipe();
-- destructive: rows-deleted
DO $$ BEGIN PERFORM wipe(); END $$;

-- == call it as a value's attribute
CREATE FUNCTION wipe(u users) RETURNS int LANGUAGE sql AS 'DELETE FROM users RETURNING 1';
-- destructive: rows-deleted
SELECT u.wipe FROM users u;

-- == call it through others
CREATE FUNCTION inner_one() RETURNS void LANGUAGE plpgsql AS $$ BEGIN DROP TABLE users; END $$;
CREATE FUNCTION outer_one() RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM inner_one(); END $$;
-- destructive: drop-table
SELECT outer_one();

-- == call one with a body in SQL's own words
CREATE FUNCTION wipe() RETURNS void BEGIN ATOMIC DELETE FROM users; END;
-- destructive: rows-deleted
SELECT wipe();
CREATE FUNCTION two() RETURNS int RETURN 1 + 1;
SELECT two();

-- == call one that only adds
CREATE FUNCTION seed(n int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE i int; made uuid;
BEGIN
  FOR i IN 1..n LOOP
    INSERT INTO users (id) VALUES (gen_random_uuid()) RETURNING id INTO made;
    RAISE NOTICE 'made %', made;
  END LOOP;
END $$;
SELECT seed(3);

-- == call one in an unread language
CREATE FUNCTION remote() RETURNS int LANGUAGE plpython3u AS 'return 1';
-- unknown: language
SELECT remote();

-- == call one of which another version is in the database
CREATE FUNCTION total_of(text) RETURNS int LANGUAGE sql AS 'SELECT 1';
-- unknown: function
SELECT total_of('x');

-- == a procedure
CREATE PROCEDURE tidy() LANGUAGE plpgsql AS $$ BEGIN DELETE FROM orders; COMMIT; END $$;
-- destructive: rows-deleted
CALL tidy();

-- == a procedure with a search_path of its own
CREATE TABLE app.users (id int);
CREATE PROCEDURE tidy() LANGUAGE sql SET search_path = app AS 'DELETE FROM users';
CALL tidy();

-- == a trigger that fires in this run
CREATE TABLE notes (id int);
CREATE FUNCTION on_note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM users; RETURN NEW; END $$;
CREATE TRIGGER on_note AFTER INSERT ON notes FOR EACH ROW EXECUTE FUNCTION on_note();
-- destructive: rows-deleted
INSERT INTO notes VALUES (1);
UPDATE notes SET id = 2;

-- == a trigger whose function is in the database
CREATE TABLE notes (id int, updated_at timestamptz);
CREATE TRIGGER touch BEFORE UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION touch_updated_at();
INSERT INTO notes VALUES (1);
-- unknown: function
UPDATE notes SET id = 2;

-- == a definition that calls what destroys
CREATE FUNCTION wipe() RETURNS int LANGUAGE sql AS 'DELETE FROM users RETURNING 1';
-- destructive: rows-deleted
CREATE TABLE notes (id int DEFAULT wipe());
-- destructive: rows-deleted
CREATE VIEW v AS SELECT wipe();

-- == DO with what is additive
DO $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM pg_type WHERE typname = 'mood') THEN
    CREATE TYPE mood AS ENUM ('good', 'bad');
  END IF;
  ALTER TABLE users ADD COLUMN IF NOT EXISTS mood mood;
END $$;

-- == DO with what exists already
DO $$ BEGIN
  CREATE TYPE order_status AS ENUM ('new');
EXCEPTION WHEN duplicate_object THEN NULL;
END $$;

-- == DO with what destroys
-- destructive: drop-table
DO $$ BEGIN DROP TABLE IF EXISTS users; END $$;
-- destructive: drop-column
DO LANGUAGE plpgsql 'BEGIN IF now() IS NULL THEN ALTER TABLE users DROP COLUMN name; END IF; END';
-- destructive: rows-deleted
DO $$ DECLARE n int := 0; BEGIN
  WHILE n < 3 LOOP
    BEGIN
      n := n + 1;
    EXCEPTION WHEN OTHERS THEN
      DELETE FROM orders;
    END;
  END LOOP;
END $$;
-- destructive: rows-updated
DO $$ DECLARE r record; BEGIN
  FOR r IN WITH x AS (UPDATE users SET name = '' RETURNING id) SELECT * FROM x LOOP NULL; END LOOP;
END $$;
-- destructive: rows-deleted
DO $$ DECLARE c CURSOR FOR WITH x AS (DELETE FROM users RETURNING 1) SELECT * FROM x; BEGIN OPEN c; END $$;
-- unknown: language
DO LANGUAGE plperl 'unlink "x"';
-- unknown: syntax
DO $$ BEGIN nothing like this; END $$;

-- == DO with what the database rules out
DO $$ BEGIN
  IF EXISTS (SELECT FROM information_schema.tables WHERE table_schema = 'public' AND table_name = 'carts') THEN
    DELETE FROM carts; DROP TABLE carts;
  END IF;
  IF to_regclass('public.carts') IS NOT NULL AND now() IS NOT NULL THEN TRUNCATE carts; END IF;
  IF NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = 'orders_total_check') THEN
    ALTER TABLE orders ADD CONSTRAINT orders_total_check CHECK (total > 0);
  ELSIF EXISTS (SELECT 1 FROM information_schema.columns c WHERE c.table_name = 'users' AND column_name = 'nick') THEN
    UPDATE users SET name = nick;
  END IF;
  IF EXISTS (SELECT FROM information_schema.columns WHERE table_schema = 'public' AND table_name = 'users' AND column_name = 'name') THEN
    NULL;
  ELSE
    DROP TABLE users;
  END IF;
END $$;

-- == DO with extensions, schemas and more that the database has or has not
DO $$ BEGIN
  IF EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_cron') THEN PERFORM cron.schedule('a', 'b', 'c'); END IF;
  IF NOT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = 'app') THEN DROP TABLE users; END IF;
  IF NOT EXISTS (SELECT FROM pg_views WHERE viewname = 'active_users') THEN DROP TABLE users; END IF;
  IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgname = 'users_touch') THEN DROP TABLE users; END IF;
  IF EXISTS (SELECT FROM pg_indexes WHERE schemaname = 'public' AND indexname = 'orders_by_day') THEN DROP TABLE users; END IF;
END $$;
-- destructive: drop-table
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM information_schema.table_constraints WHERE constraint_name = 'more') THEN DROP TABLE users; END IF;
END $$;
CREATE EXTENSION pg_cron;
-- unknown: function
DO $$ BEGIN
  IF EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_cron') THEN PERFORM cron.schedule('a', 'b', 'c'); END IF;
END $$;

-- == DO with what the database does not rule out
-- destructive: rows-deleted
DO $$ BEGIN IF EXISTS (SELECT FROM pg_tables WHERE tablename = 'users') THEN DELETE FROM users; END IF; END $$;

-- == DO where one condition more may rule out what is there
-- destructive: rows-deleted
DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_tables WHERE tablename = 'users' AND tableowner = 'me') THEN DELETE FROM users; END IF; END $$;

-- == DO where what is there may be out of sight
-- destructive: rows-deleted
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM information_schema.tables WHERE table_schema = 'storage' AND table_name = 'buckets') THEN
    DELETE FROM users;
  END IF;
END $$;

-- == DO where the server has what the database has not
-- destructive: rows-deleted
DO $$ BEGIN IF EXISTS (SELECT FROM information_schema.tables WHERE table_name = 'columns') THEN DELETE FROM users; END IF; END $$;

-- == DO where a loop makes what it looks for
-- destructive: rows-deleted
DO $$ BEGIN
  FOR i IN 1..2 LOOP
    IF to_regclass('public.carts') IS NOT NULL THEN DELETE FROM users; END IF;
    CREATE TABLE IF NOT EXISTS carts (id int);
  END LOOP;
END $$;

-- == DO where this run made or dropped what it looks for
CREATE TABLE carts (id int);
DROP POLICY "Read own" ON users;
-- destructive: rows-deleted
DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_policies WHERE policyname = 'Read own') THEN DELETE FROM users; END IF; END $$;
CREATE POLICY "Read own" ON users USING (true);
-- destructive: rows-deleted
DO $$ BEGIN IF to_regclass('carts') IS NOT NULL THEN DELETE FROM users; END IF; END $$;

-- == DO where nobody knows what came before
-- unknown: function
SELECT make_everything();
-- destructive: rows-deleted
DO $$ BEGIN IF to_regclass('public.carts') IS NOT NULL THEN DELETE FROM users; END IF; END $$;

-- == DO where what was made has a name known only at run time
DO $$ BEGIN EXECUTE format('CREATE TABLE %I (id int)', current_setting('app.table')); END $$;
-- destructive: rows-deleted
DO $$ BEGIN IF to_regclass('public.carts') IS NOT NULL THEN DELETE FROM users; END IF; END $$;

-- == DO where a type has the name
CREATE TYPE carts AS (id int);
-- destructive: rows-deleted
DO $$ BEGIN IF EXISTS (SELECT FROM pg_class WHERE relname = 'carts') THEN DELETE FROM users; END IF; END $$;

-- == DO in a function that may run again
CREATE FUNCTION again() RETURNS void LANGUAGE plpgsql AS $$ BEGIN
  IF to_regclass('public.carts') IS NOT NULL THEN DELETE FROM users; END IF;
  CREATE TABLE IF NOT EXISTS carts (id int);
END $$;
-- destructive: rows-deleted
SELECT again() FROM generate_series(1, 2);

-- == what a DO makes
DO $$ BEGIN CREATE TABLE notes (id int); END $$;
DELETE FROM notes;

-- == what a DO perhaps makes
DO $$ BEGIN IF now() IS NULL THEN CREATE TABLE app.users (id int); END IF; END $$;
SET search_path = app, public;
-- destructive: rows-deleted
DELETE FROM users;

-- == EXECUTE of a text
-- destructive: drop-table
DO $$ BEGIN EXECUTE 'DROP TABLE users'; END $$;
-- destructive: rows-deleted
DO $$ BEGIN EXECUTE 'SELECT 1; DELETE FROM users'; END $$;
DO $$ BEGIN EXECUTE 'CREATE TABLE notes (id int)'; END $$;

-- == EXECUTE of a format with names and values
DO $$ DECLARE t text; BEGIN
  FOREACH t IN ARRAY ARRAY['users', 'orders'] LOOP
    EXECUTE format('GRANT SELECT ON %I TO authenticated', t);
    EXECUTE format('COMMENT ON TABLE %1$I IS %2$L', t, 'mine');
    EXECUTE 'ALTER TABLE ' || quote_ident(t) || ' ADD COLUMN IF NOT EXISTS note text';
  END LOOP;
END $$;
-- destructive: drop-table
DO $$ DECLARE t text; BEGIN EXECUTE format('DROP TABLE IF EXISTS %I', t); END $$;
-- destructive: row-security
DO $$ DECLARE t text := 'x'; BEGIN EXECUTE format('ALTER TABLE public.%I ENABLE ROW LEVEL SECURITY', t); END $$;

-- == EXECUTE that drops and makes again, table by table
DO $$ DECLARE t text; BEGIN
  FOREACH t IN ARRAY ARRAY['users', 'orders'] LOOP
    EXECUTE format('DROP TRIGGER IF EXISTS touch ON %I', t);
    EXECUTE format('CREATE TRIGGER touch BEFORE UPDATE ON %I FOR EACH ROW EXECUTE FUNCTION touch_updated_at()', t);
    EXECUTE format('DROP POLICY IF EXISTS "Read" ON public.%I', t);
    EXECUTE format('CREATE POLICY "Read" ON public.%I USING (true)', t);
  END LOOP;
END $$;

-- == EXECUTE in a loop over names that are written out
CREATE TABLE n1 (id int);
CREATE TABLE n2 (id int);
DO $$ DECLARE t text; tables text[] := ARRAY['n1', 'n2']; r record; old text := 'users'; BEGIN
  FOREACH t IN ARRAY ARRAY['n1', 'n2'] LOOP
    EXECUTE format('ALTER TABLE public.%I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('DROP POLICY IF EXISTS %I ON %I', t || '_read', t);
    EXECUTE 'CREATE POLICY ' || t || '_read ON ' || t || ' USING (true)';
  END LOOP;
  FOREACH t IN ARRAY tables LOOP EXECUTE format('DELETE FROM %s', t); END LOOP;
  FOR r IN SELECT unnest(ARRAY['n1', 'n2']) AS name LOOP EXECUTE format('TRUNCATE %I', r.name); END LOOP;
  FOR t IN SELECT unnest(tables) LOOP EXECUTE format('DROP TABLE %I', t); END LOOP;
  EXECUTE format('GRANT SELECT ON %I TO %s', old, current_setting('app.role'));
END $$;
-- destructive: rows-deleted
DO $$ DECLARE t text; BEGIN
  FOREACH t IN ARRAY ARRAY['n1', 'users'] LOOP EXECUTE format('DELETE FROM %s', t); END LOOP;
END $$;
CREATE TABLE n3 (id int);
-- destructive: rows-deleted
DO $$ DECLARE t text; BEGIN
  FOREACH t IN ARRAY ARRAY['n3'] LOOP t := current_setting('app.table'); EXECUTE format('DELETE FROM %I', t); END LOOP;
END $$;
-- unknown: dynamic-sql
DO $$ DECLARE t text := 'n3'; BEGIN t := current_setting('app.table'); EXECUTE format('INSERT INTO %s VALUES (1)', t); END $$;

-- == EXECUTE of a text with unknown parts
-- destructive: drop-table
DO $$ DECLARE t text := 'x'; BEGIN EXECUTE 'DROP TABLE ' || t; END $$;
CREATE TABLE n1 (id int);
DO $$ DECLARE r text; BEGIN EXECUTE 'REVOKE ALL ON n1 FROM ' || r; END $$;
-- destructive: revoke
DO $$ DECLARE r text; BEGIN EXECUTE format('REVOKE ALL ON users FROM %I', r); END $$;
-- unknown: dynamic-sql
DO $$ DECLARE t text; BEGIN EXECUTE format('COMMENT ON %s IS NULL', t); END $$;
-- unknown: dynamic-sql
DO $$ DECLARE q text := now(); BEGIN EXECUTE q; END $$;
-- unknown: dynamic-sql
DO $$ DECLARE r record; q text; BEGIN FOR r IN EXECUTE q LOOP NULL; END LOOP; END $$;
-- unknown: dynamic-sql
DO $$ DECLARE t text; BEGIN EXECUTE 'ALTER TABLE users ' || t || ' name'; END $$;

-- == EXECUTE of a DO
-- destructive: drop-table
DO $$ BEGIN EXECUTE 'DO $x$ BEGIN DROP TABLE users; END $x$'; END $$;

-- == calls that are nested too deeply to follow
CREATE FUNCTION f0() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION f1() RETURNS int LANGUAGE sql AS 'SELECT f0()';
CREATE FUNCTION f2() RETURNS int LANGUAGE sql AS 'SELECT f1()';
CREATE FUNCTION f3() RETURNS int LANGUAGE sql AS 'SELECT f2()';
CREATE FUNCTION f4() RETURNS int LANGUAGE sql AS 'SELECT f3()';
CREATE FUNCTION f5() RETURNS int LANGUAGE sql AS 'SELECT f4()';
CREATE FUNCTION f6() RETURNS int LANGUAGE sql AS 'SELECT f5()';
CREATE FUNCTION f7() RETURNS int LANGUAGE sql AS 'SELECT f6()';
CREATE FUNCTION f8() RETURNS int LANGUAGE sql AS 'SELECT f7()';
CREATE FUNCTION f9() RETURNS int LANGUAGE sql AS 'SELECT f8()';
CREATE FUNCTION f10() RETURNS int LANGUAGE sql AS 'SELECT f9()';
CREATE FUNCTION f11() RETURNS int LANGUAGE sql AS 'SELECT f10()';
CREATE FUNCTION f12() RETURNS int LANGUAGE sql AS 'SELECT f11()';
CREATE FUNCTION f13() RETURNS int LANGUAGE sql AS 'SELECT f12()';
CREATE FUNCTION f14() RETURNS int LANGUAGE sql AS 'SELECT f13()';
-- unknown: nesting
SELECT f14();
SELECT f5();

-- == a body that sets search_path for all that comes
CREATE TABLE public.objects (id int);
CREATE FUNCTION look_elsewhere() RETURNS void LANGUAGE plpgsql AS
$$ BEGIN PERFORM set_config('search_path', 'storage', false); END $$;
SELECT look_elsewhere();
-- destructive: rows-deleted
DELETE FROM objects;

-- == a search_path given to a function later
CREATE TABLE objects (id int);
CREATE FUNCTION wipe() RETURNS void LANGUAGE sql AS 'DELETE FROM objects';
SELECT wipe();
ALTER FUNCTION wipe() SET search_path = storage;
-- destructive: rows-deleted
SELECT wipe();

-- == what destroys in the default of an argument, the condition of a trigger, a cast
CREATE FUNCTION wipe() RETURNS int LANGUAGE sql AS 'DELETE FROM users RETURNING 1';
-- destructive: rows-deleted
CREATE FUNCTION harmless(a int DEFAULT wipe()) RETURNS int LANGUAGE sql AS 'SELECT 1';
-- destructive: rows-deleted
CREATE TRIGGER t AFTER INSERT ON orders FOR EACH ROW WHEN (wipe() > 0) EXECUTE FUNCTION touch_updated_at();
-- destructive: rows-deleted
CREATE CAST (bool AS int) WITH FUNCTION wipe();
