-- == types
CREATE TYPE mood AS ENUM ('good', 'bad');
ALTER TYPE mood RENAME VALUE 'bad' TO 'sad';
ALTER TYPE order_status ADD VALUE IF NOT EXISTS 'lost' AFTER 'paid';
-- destructive: type-changed
ALTER TYPE order_status RENAME VALUE 'paid' TO 'settled';
CREATE TYPE point3 AS (x float, y float, z float);
ALTER TYPE point3 ADD ATTRIBUTE w float;
-- destructive: type-changed
ALTER TYPE address DROP ATTRIBUTE street;
CREATE DOMAIN email AS text CHECK (VALUE LIKE '%@%');
-- destructive: type-changed
ALTER DOMAIN positive_amount ADD CONSTRAINT small CHECK (VALUE < 100);
-- warning: rows-refused
ALTER DOMAIN positive_amount ADD CONSTRAINT small CHECK (VALUE < 100) NOT VALID;

-- == sequences
CREATE SEQUENCE ticket_numbers;
SELECT setval('ticket_numbers', 1000);
ALTER SEQUENCE ticket_numbers RESTART WITH 5;
-- destructive: sequence-changed
SELECT setval('order_numbers', 1);
-- destructive: sequence-changed
ALTER SEQUENCE order_numbers RESTART;
ALTER SEQUENCE order_numbers OWNED BY orders.number;

-- == views
CREATE OR REPLACE VIEW active_users AS SELECT id, name FROM users;
CREATE VIEW names WITH (security_invoker = true) AS SELECT name FROM users;
DROP VIEW names;

-- == policies on an existing table
CREATE POLICY "Insert own" ON users FOR INSERT TO authenticated WITH CHECK (auth.uid() = id);
ALTER POLICY "Read own" ON users USING (true);
-- warning: policy-locks-out
ALTER POLICY "Read own" ON users USING (false);
-- warning: policy-locks-out
ALTER POLICY "Read own" ON users WITH CHECK (id IS NOT NULL AND 'f'::bool);
-- warning: policy-locks-out
CREATE POLICY "Nobody" ON users FOR DELETE USING (1 = 2);
-- destructive: restrictive-policy
CREATE POLICY "Not on Sundays" ON users AS RESTRICTIVE USING (extract(dow FROM now()) > 0);

-- == policies for fewer roles or commands
ALTER POLICY "Read own" ON users TO authenticated, guest;
ALTER POLICY "Read own" ON users TO PUBLIC;
-- warning: policy-locks-out
ALTER POLICY "Read own" ON users TO guest;
DROP POLICY "Read own" ON users;
-- warning: policy-locks-out
CREATE POLICY "Read own" ON users FOR INSERT WITH CHECK (true);
DROP POLICY "Read own" ON users;
-- warning: policy-locks-out
CREATE POLICY "Read own" ON users TO guest USING (true);
DROP POLICY "Read own" ON users;
-- destructive: restrictive-policy
CREATE POLICY "Read own" ON users AS RESTRICTIVE USING (true);

-- == triggers on an existing table
CREATE TRIGGER users_log AFTER INSERT ON users FOR EACH ROW EXECUTE FUNCTION touch_updated_at();
CREATE OR REPLACE TRIGGER users_touch BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

-- == triggers that may drop rows
-- warning: rows-swallowed
CREATE TRIGGER orders_drop BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION drop_row();
CREATE TRIGGER orders_log AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION drop_row();
CREATE FUNCTION skip() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF new.total IS NULL THEN RETURN NULL; END IF;
  RETURN new;
END $$;
-- warning: rows-swallowed
CREATE TRIGGER orders_skip BEFORE INSERT OR UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION skip();
-- warning: rows-swallowed
CREATE OR REPLACE FUNCTION touch_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TABLE notes (id int);
CREATE TRIGGER notes_skip BEFORE INSERT ON notes FOR EACH ROW EXECUTE FUNCTION skip();

-- == rules
-- destructive: rule-created
CREATE RULE keep_all AS ON DELETE TO users DO INSTEAD NOTHING;
CREATE TABLE notes (id int);
-- unknown: statement
CREATE RULE move AS ON INSERT TO notes DO INSTEAD DELETE FROM users;

-- == extensions, comments, statistics, collations
CREATE EXTENSION IF NOT EXISTS "uuid-ossp" WITH SCHEMA extensions;
COMMENT ON TABLE users IS 'people; all of them';
CREATE STATISTICS by_day ON status, user_id FROM orders;
CREATE COLLATION german (provider = icu, locale = 'de');
-- unknown: statement
ALTER EXTENSION pgcrypto UPDATE;
-- unknown: statement
SECURITY LABEL ON TABLE users IS 'secret';

-- == schemas
CREATE SCHEMA billing CREATE TABLE invoices (id int);
DELETE FROM billing.invoices;

-- == foreign tables
CREATE FOREIGN TABLE remote_users (id int) SERVER warehouse;
-- destructive: rows-deleted
DELETE FROM remote_users;

-- == publications
ALTER PUBLICATION supabase_realtime ADD TABLE orders;
-- destructive: publication-changed
ALTER PUBLICATION supabase_realtime DROP TABLE orders;
CREATE PUBLICATION changes FOR TABLE orders;
-- unknown: server
CREATE PUBLICATION everything FOR ALL TABLES;

-- == maintenance
VACUUM (ANALYZE) users;
ANALYZE users;
-- destructive: table-rewrite
VACUUM FULL users;
-- destructive: table-rewrite
CLUSTER users USING users_email_key;
-- destructive: reindex-blocks
REINDEX TABLE users;
REINDEX INDEX CONCURRENTLY orders_user_id_idx;

-- == privileges
GRANT SELECT, INSERT ON users TO authenticated;
GRANT authenticated TO app_owner;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO authenticated;
-- destructive: revoke
REVOKE INSERT ON users FROM authenticated;
-- destructive: revoke
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM anon;
-- destructive: revoke
REVOKE authenticated FROM app_owner;
-- destructive: revoke
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
-- destructive: revoke
REVOKE EXECUTE ON FUNCTION archive_old(int) FROM PUBLIC;

-- == privileges that a role does not have
REVOKE ALL ON orders, storage.buckets FROM anon, PUBLIC;
REVOKE SELECT (id) ON users FROM anon;
REVOKE ALL ON ALL TABLES IN SCHEMA storage FROM anon;
-- destructive: revoke
REVOKE ALL ON orders, users FROM authenticated;
-- destructive: revoke
REVOKE ALL ON orders FROM CURRENT_USER;
-- destructive: revoke
REVOKE ALL ON "Wallet" FROM anon;
-- destructive: rename
ALTER TABLE users RENAME TO clients;
-- destructive: rename
ALTER TABLE orders RENAME TO users;
-- destructive: revoke
REVOKE ALL ON users FROM anon;

-- == privileges that no role has on a function, a schema, and an owner that stays
REVOKE ALL ON FUNCTION pay(int), pay FROM PUBLIC, guest;
REVOKE INSERT, UPDATE ON users FROM PUBLIC;
REVOKE CREATE ON SCHEMA app FROM clerk, PUBLIC;
-- destructive: revoke
REVOKE EXECUTE ON FUNCTION pay(int) FROM clerk;
-- destructive: revoke
REVOKE USAGE ON SCHEMA app FROM clerk;
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA public FROM clerk;
REVOKE EXECUTE ON ALL ROUTINES IN SCHEMA public FROM guest;
ALTER TABLE users OWNER TO postgres;
ALTER FUNCTION pay(int) OWNER TO postgres;
ALTER TYPE order_status OWNER TO postgres;
-- destructive: owner
ALTER FUNCTION pay(int) OWNER TO guest;

-- == privileges that the file gives back
REVOKE ALL ON FUNCTION pay(int) FROM PUBLIC, clerk;
GRANT EXECUTE ON FUNCTION pay(int) TO clerk;
-- destructive: revoke
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA public FROM clerk;
GRANT EXECUTE ON FUNCTION near(int, int) TO clerk;
REVOKE ALL ON users FROM authenticated;
DO $$ BEGIN GRANT SELECT ON users TO authenticated; GRANT INSERT ON users TO authenticated; END $$;
-- destructive: revoke
REVOKE USAGE ON SCHEMA app FROM clerk;
DO $$ BEGIN IF now() > '2020-01-01' THEN GRANT USAGE ON SCHEMA app TO clerk; END IF; END $$;

-- == privileges on what this run made
CREATE TABLE notes (id int);
REVOKE ALL ON notes, public.notes FROM anon;
CREATE FUNCTION secret_of(uuid) RETURNS text LANGUAGE sql AS 'SELECT 1::text';
REVOKE ALL ON FUNCTION secret_of(uuid) FROM PUBLIC;
CREATE SCHEMA vault;
REVOKE ALL ON SCHEMA vault FROM PUBLIC;

-- == privileges on a function that was replaced
CREATE OR REPLACE FUNCTION archive_old(days int) RETURNS void LANGUAGE sql AS 'SELECT 1';
-- destructive: revoke
REVOKE ALL ON FUNCTION archive_old(int) FROM PUBLIC;

-- == roles
CREATE ROLE reporter NOLOGIN;
-- destructive: role-changed
ALTER ROLE authenticated SET statement_timeout = '3s';
-- destructive: role-changed
DROP ROLE reporter;
-- destructive: role-changed
DROP OWNED BY app_owner;
-- destructive: role-changed
REASSIGN OWNED BY app_owner TO postgres;

-- == transactions and sessions
BEGIN;
SET LOCAL lock_timeout = '2s';
SET ROLE postgres;
SAVEPOINT here;
RELEASE here;
NOTIFY pgrst, 'reload schema';
COMMIT;
-- unknown: rollback
ROLLBACK;
-- unknown: setting
SET session_replication_role = replica;
-- unknown: setting
SET standard_conforming_strings = off;
RESET ALL;

-- == the server and other databases
-- unknown: server
ALTER SYSTEM SET work_mem = '1GB';
-- unknown: server
ALTER DATABASE postgres SET timezone = 'UTC';
-- unknown: server
DROP DATABASE old;
-- unknown: server
CREATE SUBSCRIPTION s CONNECTION 'host=x' PUBLICATION p;
-- unknown: server
CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION touch_updated_at();

-- == an unexpected statement
-- unknown: statement
CHECKPOINT;
-- unknown: statement
DISCARD ALL;
-- unknown: statement
IMPORT FOREIGN SCHEMA public FROM SERVER warehouse INTO app;

-- == what cannot be read
-- unknown: syntax
INSERT INTO users (name) VALUES ('it's not escaped');
SELECT 1;
-- unknown: syntax
CRATE TABLE typo (id int);
