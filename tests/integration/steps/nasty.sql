-- Short migrations that hide what they do, on the tables of random_migrations.SHOP; each is between two lines of dashes.
-- --
DO $$BEGIN EXECUTE format('DELETE FROM %I.%I', 'shop', 'audit'); END$$
-- --
DO $$DECLARE q text := 'dele' || 'te from shop.audit'; BEGIN EXECUTE q; END$$
-- --
DO $$DECLARE r record; BEGIN FOR r IN SELECT relname FROM pg_class WHERE relname = 'audit' LOOP EXECUTE 'TRUNCATE shop.' || r.relname; END LOOP; END$$
-- --
WITH gone AS (DELETE FROM shop.audit RETURNING *) SELECT count(*) FROM gone
-- --
WITH a AS (SELECT 1), b AS (UPDATE shop.tally SET n = 0 RETURNING n) INSERT INTO shop.audit (what) SELECT n::text FROM b
-- --
CREATE TABLE copies AS WITH gone AS (SELECT * FROM shop.audit FOR UPDATE) SELECT * FROM gone
-- --
SELECT shop.tidy()
-- --
SELECT count(*) FROM shop.tally WHERE shop.tidy() = 1
-- --
CREATE TABLE n (x int DEFAULT shop.tidy()); INSERT INTO n DEFAULT VALUES
-- --
CREATE TABLE n (x int CHECK (shop.tidy() = x)); INSERT INTO n VALUES (1)
-- --
ALTER TABLE shop.tally ADD COLUMN x int DEFAULT shop.tidy()
-- --
CREATE VIEW v AS SELECT shop.tidy() AS x; SELECT * FROM v
-- --
CREATE MATERIALIZED VIEW v AS SELECT shop.tidy() AS x
-- --
CREATE INDEX i ON shop.tally ((n + 1)) WHERE n > 3
-- --
CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'DELETE FROM shop.audit'; SELECT f()
-- --
CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS 'BEGIN PERFORM shop.tidy(); END'; SELECT f()
-- --
CREATE FUNCTION f(x int) RETURNS int LANGUAGE sql AS 'UPDATE shop.tally SET n = x RETURNING n'; SELECT f(n) FROM shop.tally LIMIT 1
-- --
CREATE PROCEDURE p() LANGUAGE plpgsql AS 'BEGIN TRUNCATE shop.audit; END'; CALL p()
-- --
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN DELETE FROM shop.audit; RETURN NEW; END'; CREATE TRIGGER t BEFORE INSERT ON shop.tally FOR EACH ROW EXECUTE FUNCTION f(); INSERT INTO shop.tally VALUES ('2030-01-01', 1)
-- --
INSERT INTO shop.visits (page, on_day) VALUES ('/x', '2026-01-01')
-- --
INSERT INTO shop.orders (buyer_id, total) VALUES (1, 1)
-- --
INSERT INTO shop.buyers (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET name = NULL
-- --
INSERT INTO shop.buyers (id) VALUES (1) ON CONFLICT (id) DO NOTHING
-- --
MERGE INTO shop.tally t USING (SELECT date '2026-01-02' AS day) s ON t.day = s.day WHEN MATCHED THEN DELETE
-- --
MERGE INTO shop.tally t USING (SELECT date '2026-01-02' AS day) s ON t.day = s.day WHEN MATCHED THEN UPDATE SET n = 0
-- --
DO $$DECLARE c CURSOR FOR SELECT * FROM shop.audit; BEGIN FOR r IN c LOOP DELETE FROM shop.audit WHERE CURRENT OF c; END LOOP; END$$
-- --
DECLARE c CURSOR FOR SELECT * FROM shop.audit FOR UPDATE; FETCH ALL FROM c
-- --
PREPARE p AS DELETE FROM shop.audit; EXECUTE p
-- --
EXPLAIN ANALYZE DELETE FROM shop.audit
-- --
SELECT setval('shop.orders_id_seq', 1)
-- --
ALTER SEQUENCE shop.numbers RESTART WITH 1
-- --
SELECT nextval('shop.numbers')
-- --
ALTER SEQUENCE shop.orders_id_seq OWNED BY NONE
-- --
TRUNCATE shop.tally RESTART IDENTITY
-- --
TRUNCATE shop.buyers CASCADE
-- --
UPDATE shop.names SET name = 'x'
-- --
INSERT INTO shop.names VALUES (99, 'x')
-- --
CREATE VIEW v AS SELECT * FROM shop.audit; DELETE FROM v
-- --
CREATE VIEW v AS SELECT 1 AS x; CREATE RULE r AS ON INSERT TO v DO INSTEAD DELETE FROM shop.audit; INSERT INTO v VALUES (1)
-- --
CREATE RULE r AS ON INSERT TO shop.tally DO INSTEAD NOTHING
-- --
CREATE RULE r AS ON UPDATE TO shop.tally DO ALSO DELETE FROM shop.audit
-- --
CREATE TABLE n (x int); CREATE RULE r AS ON INSERT TO n DO ALSO DELETE FROM shop.audit; INSERT INTO n VALUES (1)
-- --
ALTER TABLE shop.visits DISABLE TRIGGER logs
-- --
ALTER TABLE shop.visits DISABLE TRIGGER ALL
-- --
ALTER TABLE shop.orders ENABLE REPLICA TRIGGER counts
-- --
DROP TRIGGER counts ON shop.orders
-- --
SET session_replication_role = replica
-- --
SELECT set_config('session_' || 'replication_role', 'replica', false)
-- --
ALTER TABLE shop.orders DISABLE ROW LEVEL SECURITY
-- --
ALTER TABLE shop.buyers ENABLE ROW LEVEL SECURITY
-- --
ALTER TABLE shop.orders FORCE ROW LEVEL SECURITY
-- --
CREATE POLICY p ON shop.orders AS RESTRICTIVE USING (total > 1000)
-- --
CREATE POLICY p ON shop.orders FOR SELECT USING (true)
-- --
DROP POLICY adds ON shop.orders
-- --
DROP POLICY adds ON shop.orders; CREATE POLICY adds ON shop.orders FOR INSERT TO clerk WITH CHECK (true)
-- --
ALTER POLICY adds ON shop.orders TO clerk
-- --
ALTER POLICY adds ON shop.orders WITH CHECK (false)
-- --
ALTER POLICY "see own" ON shop.orders USING (false)
-- --
ALTER POLICY adds ON shop.orders RENAME TO added
-- --
REVOKE SELECT ON shop.orders FROM clerk
-- --
REVOKE ALL ON ALL TABLES IN SCHEMA shop FROM clerk
-- --
REVOKE USAGE ON SCHEMA shop FROM clerk
-- --
REVOKE EXECUTE ON FUNCTION shop.tidy() FROM PUBLIC
-- --
DO $$BEGIN EXECUTE 'REVOKE ALL ON shop.buyers FROM ' || quote_ident('clerk'); END$$
-- --
ALTER TABLE shop.buyers OWNER TO clerk
-- --
ALTER FUNCTION shop.tidy() OWNER TO clerk
-- --
ALTER FUNCTION shop.total_of(int, date) RENAME TO total_for
-- --
ALTER FUNCTION shop.tidy() SET SCHEMA public
-- --
ALTER FUNCTION shop.total_of(int, date) STRICT
-- --
DROP FUNCTION shop.total_of(int, date)
-- --
DROP FUNCTION shop.total_of(int, date); CREATE FUNCTION shop.total_of(buyer int, since date DEFAULT '2000-01-01') RETURNS numeric LANGUAGE sql STABLE AS 'SELECT 1.0'
-- --
DROP FUNCTION shop.total_of(int, date); CREATE FUNCTION shop.total_of(customer int, since date) RETURNS numeric LANGUAGE sql STABLE AS 'SELECT 1.0'; REVOKE ALL ON FUNCTION shop.total_of(int, date) FROM PUBLIC
-- --
CREATE FUNCTION shop.total_of(buyer int) RETURNS numeric LANGUAGE sql AS 'SELECT 1.0'
-- --
CREATE OR REPLACE FUNCTION shop.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'
-- --
DROP VIEW shop.names
-- --
DROP VIEW shop.names; CREATE VIEW shop.names AS SELECT id, name FROM shop.buyers
-- --
DROP VIEW shop.names; CREATE VIEW shop.names AS SELECT id, upper(name) AS name FROM shop.buyers; GRANT SELECT ON shop.names TO clerk
-- --
DROP VIEW shop.names; CREATE VIEW shop.names AS SELECT id FROM shop.buyers; GRANT SELECT ON shop.names TO clerk
-- --
CREATE OR REPLACE VIEW shop.names WITH (security_invoker = on) AS SELECT id, name FROM shop.buyers
-- --
ALTER VIEW shop.names SET (security_barrier = on)
-- --
ALTER VIEW shop.names RENAME COLUMN name TO called
-- --
ALTER VIEW shop.names ALTER COLUMN name SET DEFAULT 'x'
-- --
DROP MATERIALIZED VIEW shop.sums; CREATE MATERIALIZED VIEW shop.sums AS SELECT buyer_id, sum(total) AS total FROM shop.orders GROUP BY 1
-- --
REFRESH MATERIALIZED VIEW shop.sums
-- --
ALTER MATERIALIZED VIEW shop.sums RENAME TO totals
-- --
DROP INDEX shop.orders_note
-- --
DROP INDEX shop.orders_note; CREATE INDEX orders_note ON shop.orders (note)
-- --
ALTER INDEX shop.orders_note RENAME TO orders_by_note
-- --
REINDEX TABLE shop.tally
-- --
CLUSTER shop.tally USING tally_pkey
-- --
ALTER TABLE shop.audit ALTER COLUMN what TYPE varchar(2) USING left(what, 2)
-- --
ALTER TABLE shop.buyers ALTER COLUMN email TYPE varchar(120)
-- --
ALTER TABLE shop.buyers ALTER COLUMN phone TYPE text COLLATE "C"
-- --
ALTER TABLE shop.visits ALTER COLUMN seconds TYPE smallint
-- --
ALTER TABLE shop.tally ALTER COLUMN n TYPE bigint
-- --
ALTER TABLE shop.tally ALTER COLUMN n SET NOT NULL
-- --
ALTER TABLE shop.tally ADD CONSTRAINT c CHECK (n IS NOT NULL); ALTER TABLE shop.tally ALTER COLUMN n SET NOT NULL
-- --
ALTER TABLE shop.tally ADD CONSTRAINT c CHECK (n IS NOT NULL) NOT VALID; ALTER TABLE shop.tally VALIDATE CONSTRAINT c; ALTER TABLE shop.tally ALTER COLUMN n SET NOT NULL
-- --
ALTER TABLE shop.orders ALTER COLUMN state DROP DEFAULT
-- --
ALTER TABLE shop.orders ALTER COLUMN state SET DEFAULT NULL
-- --
ALTER TABLE shop.orders ALTER COLUMN id DROP DEFAULT
-- --
ALTER TABLE shop.visits ALTER COLUMN id DROP IDENTITY
-- --
ALTER TABLE shop.visits ALTER COLUMN id RESTART WITH 1
-- --
ALTER TABLE shop.visits ALTER COLUMN id SET GENERATED BY DEFAULT
-- --
ALTER TABLE shop.tally ADD COLUMN twice int GENERATED ALWAYS AS (n * 2) STORED
-- --
ALTER TABLE shop.tally ADD COLUMN at timestamptz DEFAULT clock_timestamp()
-- --
ALTER TABLE shop.tally ADD COLUMN at timestamptz DEFAULT now()
-- --
ALTER TABLE shop.tally ADD COLUMN k bigserial
-- --
ALTER TABLE shop.tally ADD COLUMN buyer int REFERENCES shop.buyers DEFAULT NULL
-- --
ALTER TABLE shop.tally ADD COLUMN buyer int REFERENCES shop.buyers
-- --
ALTER TABLE shop.tally ADD COLUMN code text UNIQUE
-- --
ALTER TABLE shop.tally ADD COLUMN code text CHECK (code <> '')
-- --
ALTER TABLE shop.tally ADD COLUMN code text NOT NULL DEFAULT 'x'
-- --
ALTER TABLE shop.tally DROP COLUMN n
-- --
ALTER TABLE shop.tally DROP COLUMN n, ADD COLUMN n int
-- --
ALTER TABLE shop.tally RENAME COLUMN n TO count
-- --
ALTER TABLE shop.tally RENAME TO tallies
-- --
ALTER TABLE shop.tally RENAME TO old; CREATE VIEW shop.tally AS SELECT * FROM shop.old
-- --
ALTER TABLE shop.tally SET SCHEMA public
-- --
ALTER TABLE shop.tally SET UNLOGGED
-- --
ALTER TABLE shop.tally SET (fillfactor = 50)
-- --
ALTER TABLE shop.tally REPLICA IDENTITY NOTHING
-- --
ALTER TABLE shop.orders DROP CONSTRAINT orders_buyer_id_fkey
-- --
ALTER TABLE shop.orders DROP CONSTRAINT orders_buyer_id_fkey, ADD CONSTRAINT orders_buyer_id_fkey FOREIGN KEY (buyer_id) REFERENCES shop.buyers ON DELETE CASCADE NOT VALID
-- --
ALTER TABLE shop.orders ALTER CONSTRAINT orders_buyer_id_fkey DEFERRABLE INITIALLY DEFERRED
-- --
ALTER TABLE shop.visits DROP CONSTRAINT short; ALTER TABLE shop.visits ADD CONSTRAINT short CHECK (seconds < 10) NOT VALID
-- --
ALTER TABLE shop.visits DROP CONSTRAINT short; ALTER TABLE shop.visits ADD CONSTRAINT short CHECK (seconds < 9000) NOT VALID
-- --
ALTER TABLE shop.visits ADD CONSTRAINT never CHECK (1 = 0) NOT VALID
-- --
ALTER TABLE shop.visits ADD CONSTRAINT once EXCLUDE (page WITH =)
-- --
ALTER TABLE shop.tally DROP CONSTRAINT tally_pkey, ADD CONSTRAINT tally_pkey PRIMARY KEY (day, n)
-- --
ALTER TABLE shop.tally DROP CONSTRAINT tally_pkey; ALTER TABLE shop.tally ADD PRIMARY KEY (day)
-- --
CREATE UNIQUE INDEX u ON shop.tally (n); ALTER TABLE shop.tally DROP CONSTRAINT tally_pkey; ALTER TABLE shop.tally ADD CONSTRAINT tally_pkey PRIMARY KEY USING INDEX u
-- --
CREATE TABLE shop.parts_1 PARTITION OF shop.parts FOR VALUES FROM (100) TO (200)
-- --
CREATE TABLE p (id int); ALTER TABLE shop.parts ATTACH PARTITION p FOR VALUES FROM (100) TO (200)
-- --
ALTER TABLE shop.parts DETACH PARTITION shop.parts_rest
-- --
CREATE TABLE child () INHERITS (shop.tally); INSERT INTO child VALUES ('2030-01-01', 1); DELETE FROM shop.tally
-- --
CREATE TABLE heir (day date NOT NULL, n int); ALTER TABLE heir INHERIT shop.tally
-- --
ALTER TYPE shop.mood RENAME VALUE 'bad' TO 'poor'
-- --
ALTER TYPE shop.mood ADD VALUE 'fine'
-- --
ALTER TYPE shop.mood RENAME TO temper
-- --
DROP TYPE shop.mood CASCADE
-- --
CREATE TYPE m AS ENUM ('good'); ALTER TABLE shop.buyers ALTER COLUMN mood TYPE m USING 'good'::m
-- --
CREATE DOMAIN d AS text; ALTER TABLE shop.audit ALTER COLUMN what TYPE d; ALTER DOMAIN d ADD CHECK (VALUE <> '')
-- --
DROP SCHEMA shop CASCADE
-- --
ALTER SCHEMA shop RENAME TO store
-- --
DROP TABLE IF EXISTS shop.audit, shop.nothing
-- --
DROP TABLE shop.tally; CREATE TABLE shop.tally (day date PRIMARY KEY, n int)
-- --
CREATE TABLE IF NOT EXISTS shop.audit (id int); DELETE FROM shop.audit
-- --
CREATE TEMP TABLE audit (what text); SET search_path = shop; DELETE FROM audit
-- --
SET search_path = shop; DELETE FROM audit
-- --
CREATE SCHEMA s; CREATE TABLE s.audit (); SET LOCAL search_path = s, shop; DROP TABLE s.audit; DELETE FROM audit
-- --
LOCK TABLE shop.orders IN ACCESS EXCLUSIVE MODE
-- --
ALTER TABLE shop.tally ADD COLUMN z int; SELECT count(*) FROM shop.orders
-- --
ALTER TABLE shop.tally ADD COLUMN z int; DO $$DECLARE c int; BEGIN SELECT count(*) INTO c FROM shop.orders; END$$
-- --
ALTER TABLE shop.tally ADD COLUMN z int; CREATE VIEW v AS SELECT * FROM shop.orders; CREATE TABLE n AS SELECT * FROM v
-- --
ALTER TABLE shop.tally ADD COLUMN z int; UPDATE shop.tally SET z = n
-- --
SELECT * FROM shop.orders FOR UPDATE
-- --
ALTER DEFAULT PRIVILEGES IN SCHEMA shop REVOKE ALL ON TABLES FROM PUBLIC
-- --
ALTER ROLE clerk SET search_path = nowhere
-- --
COMMENT ON TABLE shop.orders IS 'x'
-- --
ANALYZE shop.orders
-- --
DO $$BEGIN DELETE FROM shop.audit; EXCEPTION WHEN others THEN NULL; END$$
-- --
DO $$BEGIN IF EXISTS (SELECT FROM shop.buyers) THEN DELETE FROM shop.audit; END IF; END$$
-- --
DO $$BEGIN BEGIN DELETE FROM shop.audit; RAISE EXCEPTION 'x'; EXCEPTION WHEN others THEN NULL; END; END$$
-- --
UPDATE shop.tally SET n = n
-- --
DELETE FROM shop.audit WHERE false
-- --
CREATE OPERATOR shop.### (LEFTARG = int, FUNCTION = shop.total_of, RIGHTARG = date); SELECT 1 OPERATOR(shop.###) date '2026-01-01'
-- --
CREATE FUNCTION add_up(int, int) RETURNS int LANGUAGE plpgsql AS 'BEGIN DELETE FROM shop.audit; RETURN 1; END'; CREATE AGGREGATE adds(int) (SFUNC = add_up, STYPE = int, INITCOND = '0'); SELECT adds(n) FROM shop.tally
-- --
CREATE FUNCTION to_d(text) RETURNS shop.mood LANGUAGE plpgsql AS $$BEGIN DELETE FROM shop.audit; RETURN 'good'; END$$; SELECT to_d('x')
-- --
CREATE TABLE n (x int); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM shop.tidy(); RETURN NEW; END'; CREATE CONSTRAINT TRIGGER t AFTER INSERT ON n DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION f(); SET CONSTRAINTS ALL IMMEDIATE; INSERT INTO n VALUES (1)
-- --
INSERT INTO shop.audit (what) SELECT shop.tidy()::text
-- --
INSERT INTO shop.audit (what) VALUES ((SELECT shop.tidy()::text))
-- --
SELECT pg_sleep(0) FROM shop.audit ORDER BY shop.tidy()
-- --
SELECT lo_unlink(0) WHERE false
-- --
SELECT pg_catalog.setval('shop.numbers', 1, false)
-- --
CREATE FUNCTION f(m shop.mood[]) RETURNS int LANGUAGE plpgsql AS $$DECLARE x shop.mood[] := m; BEGIN DELETE FROM shop.audit; RETURN 1; END$$; SELECT f('{good}')
-- --
ALTER TABLE shop.buyers RENAME COLUMN phone TO mobile; CREATE VIEW shop.all_of AS SELECT * FROM shop.buyers
-- --
ALTER TABLE shop.orders RENAME COLUMN note TO remark; DROP VIEW shop.open_orders; CREATE VIEW shop.open_orders AS SELECT a.*, 1 AS one, b.name FROM shop.orders a JOIN shop.buyers b ON b.id = a.buyer_id WHERE a.state = 'new'
-- --
REVOKE ALL ON shop.orders FROM clerk; GRANT SELECT ON shop.orders TO clerk
-- --
REVOKE ALL ON shop.orders FROM clerk; GRANT SELECT, INSERT ON shop.orders TO clerk
-- --
GRANT SELECT ON shop.tally TO clerk; REVOKE ALL ON shop.tally FROM clerk
-- --
ALTER TABLE shop.tally ADD COLUMN z int; WITH a AS (SELECT note FROM shop.orders) INSERT INTO shop.audit (what) SELECT note FROM a
