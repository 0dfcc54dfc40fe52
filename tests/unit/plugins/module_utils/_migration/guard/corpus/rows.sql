-- == seed a new table
CREATE TABLE plans (id int PRIMARY KEY, name text);
INSERT INTO plans VALUES (1, 'free'), (2, 'paid; with a semicolon') ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name;
UPDATE plans SET name = 'Free' WHERE id = 1;
DELETE FROM plans WHERE id = 2;
TRUNCATE plans;
INSERT INTO plans SELECT 3, 'other' WHERE NOT EXISTS (SELECT FROM plans WHERE id = 3);

-- == seed an existing table
INSERT INTO users (id, email) VALUES ('00000000-0000-0000-0000-000000000001', 'a@example.com');
INSERT INTO users (id, email) VALUES (gen_random_uuid(), 'b@example.com') ON CONFLICT DO NOTHING;
INSERT INTO users (id) VALUES (gen_random_uuid()) ON CONFLICT (id) DO UPDATE SET id = EXCLUDED.id;

-- == overwrite rows of an existing table
-- destructive: rows-overwritten
INSERT INTO users (id, email) VALUES (gen_random_uuid(), 'b@example.com')
ON CONFLICT (id) DO UPDATE SET email = EXCLUDED.email;

-- == update, delete, truncate, merge
-- destructive: rows-updated
UPDATE users SET name = 'x';
-- destructive: rows-deleted
DELETE FROM ONLY public.users WHERE false;
-- destructive: rows-truncated
TRUNCATE TABLE orders, users RESTART IDENTITY CASCADE;
-- destructive: rows-merged
MERGE INTO users u USING plans p ON u.id = p.id WHEN MATCHED THEN DELETE;
MERGE INTO users u USING orders o ON u.id = o.user_id WHEN NOT MATCHED THEN INSERT (id) VALUES (o.user_id);

-- == rows changed in a WITH
-- destructive: rows-deleted
WITH gone AS (DELETE FROM orders RETURNING *) SELECT count(*) FROM gone;
CREATE TABLE archive (id uuid);
-- destructive: rows-deleted
WITH gone AS (DELETE FROM orders RETURNING id) INSERT INTO archive SELECT id FROM gone;

-- == insert where an older trigger or rule does more
-- warning: trigger-fires
INSERT INTO orders (total) VALUES (1);
-- warning: trigger-fires
INSERT INTO "Wallet" DEFAULT VALUES;

-- == fill a column that these files made
ALTER TABLE orders ADD COLUMN note text, ADD COLUMN IF NOT EXISTS status text;
-- warning: column-filled
UPDATE orders SET note = status WHERE note IS NULL;
-- destructive: rows-updated
UPDATE orders SET note = status, status = 'new';
-- destructive: rows-updated
UPDATE orders SET (note, status) = (SELECT 'a', 'b');
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.total := 0; RETURN NEW; END';
CREATE TRIGGER touch BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION touch();
-- destructive: rows-updated
UPDATE orders SET note = status;

-- == fill one whose rows a trigger changes
ALTER TABLE users ADD COLUMN nickname text;
-- destructive: rows-updated
UPDATE users SET nickname = name WHERE nickname IS NULL;

-- == fill one of a table that was another
-- destructive: rename
ALTER TABLE orders RENAME TO old_orders;
ALTER TABLE old_orders ADD COLUMN note text;
-- destructive: rows-updated
UPDATE old_orders SET note = '';

-- == rows of an old table through a new view
CREATE VIEW mine AS SELECT * FROM users;
-- destructive: rows-deleted
DELETE FROM mine;

-- == a temporary table
CREATE TEMP TABLE batch AS SELECT id FROM users;
DELETE FROM batch;
DROP TABLE batch;

-- == a temporary table that hides an old one
CREATE TEMPORARY TABLE users (id int);
DELETE FROM users;
-- destructive: rows-deleted
DELETE FROM public.users;

-- == a temporary table that may be gone already
CREATE TEMP TABLE users (id int) ON COMMIT DROP;
-- destructive: rows-deleted
DELETE FROM users;

-- == a temporary table of an earlier file
-- file 1.sql
CREATE TEMP TABLE users (id int);
-- file 2.sql
-- destructive: rows-deleted
DELETE FROM users;

-- == tables from queries
CREATE TABLE snapshot AS SELECT * FROM users;
SELECT * INTO snapshot2 FROM users;
DELETE FROM snapshot2;
CREATE MATERIALIZED VIEW totals AS SELECT user_id, sum(total) FROM orders GROUP BY 1;
REFRESH MATERIALIZED VIEW totals;
REFRESH MATERIALIZED VIEW CONCURRENTLY daily_totals;

-- == search_path
SET search_path TO app, public;
CREATE TABLE settings (id int);
DELETE FROM app.settings;
-- destructive: rows-deleted
DELETE FROM public.settings;
SET search_path = public;
-- destructive: rows-deleted
DELETE FROM settings;

-- == search_path of one file is not that of the next
-- file 1.sql
SET search_path TO app;
CREATE TABLE users (id int);
-- file 2.sql
-- destructive: rows-deleted
DELETE FROM users;

-- == an unknown search_path
CREATE SCHEMA scratch;
CREATE TABLE scratch.users (id int);
SELECT set_config('search_path', current_setting('app.path'), false);
-- destructive: rows-deleted
DELETE FROM users;

-- == a search_path as pg_dump sets it
SELECT pg_catalog.set_config('search_path', '', false);
CREATE TABLE public.notes (id int);
CREATE INDEX ON public.notes (id);

-- == a setting of search_path that may not last
CREATE TABLE app.orders (id int);
SET LOCAL search_path = app;
-- destructive: rows-deleted
DELETE FROM orders;

-- == explain
EXPLAIN DELETE FROM users;
-- destructive: rows-deleted
EXPLAIN (ANALYZE, BUFFERS) DELETE FROM users;

-- == prepared statements
-- destructive: rows-deleted
PREPARE wipe AS DELETE FROM users;
-- destructive: rows-deleted
EXECUTE wipe;
-- unknown: prepared
EXECUTE something_else;
DEALLOCATE wipe;

-- == locks and cursors
DECLARE c CURSOR FOR SELECT * FROM users;
CLOSE c;
-- destructive: lock-table
LOCK TABLE users IN EXCLUSIVE MODE;

-- == rows that are locked
-- destructive: lock-table
SELECT * FROM users FOR UPDATE;
-- destructive: lock-table
SELECT o.id FROM orders o JOIN (SELECT 1 AS one) s ON true FOR SHARE OF orders;
-- destructive: lock-table
DO $$ BEGIN PERFORM id FROM users WHERE name = '' FOR NO KEY UPDATE; END $$;
SELECT * FROM users LIMIT 1 FOR UPDATE;
SELECT * FROM users FOR KEY SHARE;
CREATE TABLE notes (id int);
SELECT * FROM notes FOR UPDATE;

-- == what is read while a lock is kept
ALTER TABLE orders ADD COLUMN note text;
SELECT 1 FROM settings, pg_catalog.pg_class, information_schema.tables;
-- warning: lock-kept
SELECT count(*) FROM users;
-- warning: lock-kept
DO $$ DECLARE n int; BEGIN SELECT count(*) INTO n FROM orders; END $$;
CREATE FUNCTION counted() RETURNS int LANGUAGE sql AS 'SELECT count(*) FROM users';
-- warning: lock-kept
SELECT counted();
-- warning: lock-kept
REFRESH MATERIALIZED VIEW CONCURRENTLY daily_totals;
-- destructive: refresh-blocks
REFRESH MATERIALIZED VIEW daily_totals;

-- == a lock that a function takes
CREATE FUNCTION more() RETURNS void LANGUAGE plpgsql AS 'BEGIN ALTER TABLE orders ADD COLUMN note text; END';
SELECT more();
-- warning: lock-kept
SELECT count(*) FROM users;

-- == copy
-- unknown: copy
COPY users FROM '/tmp/users.csv';

-- == insert into a view, and into the server's own tables
-- unknown: statement
INSERT INTO active_users (id) VALUES (gen_random_uuid());
-- unknown: server
INSERT INTO pg_catalog.pg_enum VALUES (1, 2, 3, 'x');

-- == a temporary table that may have been dropped
CREATE TEMP TABLE users (id int);
DO $$ BEGIN IF now() IS NULL THEN DROP TABLE users; END IF; END $$;
-- destructive: rows-deleted
DELETE FROM users;

-- == a rename that may not have happened
CREATE TABLE users_new (id int);
DO $$ BEGIN ALTER TABLE users_new RENAME TO users; EXCEPTION WHEN OTHERS THEN NULL; END $$;
-- destructive: rows-deleted
DELETE FROM users;

-- == what was rolled back
BEGIN;
CREATE TEMP TABLE users (id int);
-- unknown: rollback
ROLLBACK;
-- destructive: rows-deleted
DELETE FROM users;

-- == the sequence of a new column
CREATE TABLE tickets (id serial, other int);
SELECT setval(pg_get_serial_sequence('tickets', 'id'), 100);
-- destructive: sequence-changed
SELECT setval(pg_get_serial_sequence('orders', 'number'), 100);

-- == a role with a schema of its own
CREATE TABLE app.orders (id int);
CREATE TABLE notes (id int);
SET ROLE app;
DELETE FROM notes;
-- destructive: rows-deleted
DELETE FROM orders;

-- == write into the history of migrations
-- unknown: history
INSERT INTO supabase_migrations.schema_migrations (version) VALUES ('9') ON CONFLICT DO NOTHING;
-- unknown: history
INSERT INTO app."_prisma_migrations" (id) VALUES ('9');
-- unknown: history
INSERT INTO flyway_schema_history (installed_rank, version) VALUES (9, '9');
SET search_path = supabase_migrations;
-- unknown: history
INSERT INTO schema_migrations VALUES ('9');
-- unknown: history
DO $$ BEGIN
  INSERT INTO supabase_migrations.schema_migrations VALUES ('9');
END $$;
-- unknown: history
MERGE INTO supabase_migrations.schema_migrations m USING users u ON m.version = u.name WHEN NOT MATCHED THEN INSERT VALUES ('9');
-- destructive: rows-deleted
DELETE FROM supabase_migrations.schema_migrations;

-- == make the history of migrations and write into it
CREATE SCHEMA IF NOT EXISTS supabase_migrations;
CREATE TABLE IF NOT EXISTS supabase_migrations.schema_migrations (version text PRIMARY KEY);
-- unknown: history
INSERT INTO supabase_migrations.schema_migrations VALUES ('9');
-- unknown: history
CREATE TRIGGER copies AFTER INSERT ON supabase_migrations.schema_migrations FOR EACH ROW EXECUTE FUNCTION touch_updated_at();
