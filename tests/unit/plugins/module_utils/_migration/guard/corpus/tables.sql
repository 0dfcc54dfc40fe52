-- == make a table with all it needs
CREATE TABLE IF NOT EXISTS notes (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  body text NOT NULL CHECK (body <> ''),
  number bigserial UNIQUE
);
CREATE INDEX notes_user_id ON public.notes (user_id);
ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
ALTER TABLE notes ADD COLUMN kind text NOT NULL, ADD CONSTRAINT kinds CHECK (kind IN ('a', 'b'));
ALTER TABLE notes ALTER COLUMN body TYPE varchar(10), DROP COLUMN kind;
ALTER TABLE notes RENAME TO memos;
ALTER TABLE memos RENAME COLUMN body TO words;
DELETE FROM memos;

-- == make a table that is there already, IF NOT EXISTS
CREATE TABLE IF NOT EXISTS users (id uuid);
-- destructive: index-blocks
CREATE INDEX users_name ON users (name);
-- destructive: rows-deleted
DELETE FROM users;

-- == add a column that may be null
ALTER TABLE users ADD COLUMN nickname text;
ALTER TABLE ONLY public.users ADD COLUMN IF NOT EXISTS bio text DEFAULT NULL;

-- == add a column with a constant default
ALTER TABLE users ADD COLUMN score int NOT NULL DEFAULT 0, ADD COLUMN tags text[] NOT NULL DEFAULT '{}'::text[];
ALTER TABLE users ADD COLUMN seen_at timestamptz NOT NULL DEFAULT now();
ALTER TABLE users ADD COLUMN seen_on date DEFAULT CURRENT_DATE, ADD COLUMN debt int DEFAULT -1;

-- == add a column that is there already, IF NOT EXISTS
ALTER TABLE users ADD COLUMN IF NOT EXISTS name text NOT NULL;

-- == add a column NOT NULL without a default
-- destructive: column-not-null
ALTER TABLE users ADD COLUMN nickname text NOT NULL;

-- == add a column whose default differs per row
-- destructive: column-rewrite
ALTER TABLE users ADD COLUMN token uuid DEFAULT gen_random_uuid();
-- destructive: column-rewrite
ALTER TABLE users ADD COLUMN drawn float DEFAULT random();
-- destructive: column-rewrite
ALTER TABLE users ADD COLUMN code text DEFAULT public.make_code();
-- destructive: column-rewrite
ALTER TABLE users ADD COLUMN code text DEFAULT who_knows();
CREATE FUNCTION draw() RETURNS int LANGUAGE sql AS 'SELECT 1';
-- destructive: column-rewrite
ALTER TABLE users ADD COLUMN drawn int DEFAULT draw();
ALTER FUNCTION total_of(int) VOLATILE;
-- destructive: column-rewrite
ALTER TABLE users ADD COLUMN total int DEFAULT total_of(1);

-- == add a column whose default is a function that is not volatile
ALTER TABLE users ADD COLUMN total int DEFAULT total_of(1);
CREATE FUNCTION seven() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 7';
ALTER TABLE users ADD COLUMN sevens int DEFAULT coalesce(seven() * 2, CASE WHEN true THEN 1 END);

-- == add a column of a domain that checks nothing
ALTER TABLE users ADD COLUMN remark note, ADD COLUMN mark grade NOT NULL DEFAULT 1;
CREATE DOMAIN label AS note DEFAULT 'none';
ALTER TABLE users ADD COLUMN tag label, ADD COLUMN amounts positive_amount[];

-- == add a column of a domain that checks, or whose default differs per row
-- destructive: column-rewrite
ALTER TABLE users ADD COLUMN code ticket;
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
-- destructive: column-rewrite
ALTER TABLE users ADD COLUMN number positive;
CREATE DOMAIN drawn AS float DEFAULT random();
-- destructive: column-rewrite
ALTER TABLE users ADD COLUMN luck drawn;
CREATE DOMAIN more_positive AS positive;
-- destructive: column-rewrite
ALTER TABLE users ADD COLUMN more more_positive DEFAULT 1;
-- warning: rows-refused
ALTER DOMAIN note ADD CONSTRAINT short CHECK (length(VALUE) < 10) NOT VALID;
-- destructive: column-rewrite
ALTER TABLE users ADD COLUMN remark note;

-- == add a column that numbers or computes all rows
-- destructive: column-rewrite
ALTER TABLE users ADD COLUMN number bigserial;
-- destructive: column-rewrite
ALTER TABLE users ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY;
-- destructive: column-rewrite
ALTER TABLE users ADD COLUMN lower_name text GENERATED ALWAYS AS (lower(name)) STORED;
-- destructive: column-rewrite
ALTER TABLE users ADD COLUMN amount positive_amount;

-- == add a column computed when it is read
ALTER TABLE users ADD COLUMN lower_name text GENERATED ALWAYS AS (lower(name)) VIRTUAL;

-- == add a column that references another table
ALTER TABLE orders ADD COLUMN courier_id uuid REFERENCES users (id);

-- == add a column with a constraint
-- destructive: column-constraint
ALTER TABLE users ADD COLUMN nickname text UNIQUE;
-- destructive: column-constraint
ALTER TABLE users ADD COLUMN age int CHECK (age > 0);
-- destructive: column-constraint
ALTER TABLE orders ADD COLUMN courier_id int DEFAULT 1 REFERENCES couriers;
-- destructive: column-constraint
ALTER TABLE orders ADD COLUMN courier_id int REFERENCES couriers DEFAULT NULL;

-- == drop a column
-- destructive: drop-column
ALTER TABLE users DROP COLUMN phone;
-- destructive: drop-column
ALTER TABLE users DROP COLUMN IF EXISTS name CASCADE, ADD COLUMN x int;

-- == drop a column that is not there or is new
ALTER TABLE users DROP COLUMN IF EXISTS fax;
ALTER TABLE users ADD COLUMN fax text;
ALTER TABLE users DROP COLUMN fax;

-- == rename a table, a column, a constraint, an index, a view, a type, a function, a schema
-- destructive: rename
ALTER TABLE users RENAME COLUMN phone TO phone_number;
-- destructive: rename
ALTER TABLE orders RENAME CONSTRAINT orders_total_check TO total_is_positive;
-- destructive: rename
ALTER INDEX orders_user_id_idx RENAME TO by_user;
-- destructive: rename
ALTER VIEW active_users RENAME TO living_users;
-- destructive: rename
ALTER TYPE order_status RENAME TO state;
-- destructive: rename
ALTER FUNCTION archive_old(int) RENAME TO archive;
-- destructive: rename
ALTER SCHEMA app RENAME TO application;
-- destructive: rename
ALTER TABLE users RENAME TO people;

-- == what a table is after its rename
-- destructive: rename
ALTER TABLE users RENAME TO people;
-- destructive: rows-deleted
DELETE FROM people;
CREATE TABLE users (id int);
DELETE FROM users;

-- == two tables that swap names
-- destructive: rename
ALTER TABLE settings RENAME TO little;
-- destructive: rename
ALTER TABLE people RENAME TO locked;
-- destructive: rename
ALTER TABLE orders RENAME TO settings;
-- destructive: index-blocks
CREATE INDEX settings_status ON settings (status);
-- destructive: rename
ALTER TABLE users RENAME TO people;
-- destructive: row-security
ALTER TABLE people ENABLE ROW LEVEL SECURITY;

-- == rename a policy or a trigger
ALTER POLICY "Read own" ON users RENAME TO "Read mine";
ALTER TRIGGER users_touch ON users RENAME TO touch_users;

-- == move to another schema
-- destructive: set-schema
ALTER TABLE users SET SCHEMA app;
-- destructive: set-schema
ALTER FUNCTION archive_old(int) SET SCHEMA app;

-- == another owner
-- destructive: owner
ALTER TABLE users OWNER TO app_owner;
-- destructive: owner
ALTER FUNCTION archive_old(int) OWNER TO app_owner;
CREATE TABLE notes (id int);
ALTER TABLE notes OWNER TO app_owner;

-- == another type
-- destructive: column-type
ALTER TABLE users ALTER COLUMN phone TYPE bigint USING phone::bigint;
-- destructive: column-type
ALTER TABLE users ALTER COLUMN email TYPE varchar(50);

-- == a type that is only wider
ALTER TABLE users ALTER COLUMN email TYPE varchar(320);
ALTER TABLE users ALTER COLUMN email SET DATA TYPE text;

-- == a wider type of a column that an index on an expression names
CREATE INDEX CONCURRENTLY users_email_lower ON users (lower(email));
-- destructive: column-scanned
ALTER TABLE users ALTER COLUMN email TYPE varchar(320);

-- == locks of other statements that last as long
CREATE POLICY "Read all" ON users USING (true);
-- warning: lock-kept
CREATE TABLE mails AS SELECT email FROM users;
-- warning: lock-kept
INSERT INTO settings SELECT 1 WHERE NOT EXISTS (SELECT FROM settings);

-- == the lock of a reference to an older table
CREATE TABLE notes (id int, user_id uuid REFERENCES users (id));
-- warning: lock-kept
INSERT INTO notes (user_id) SELECT id FROM users;
-- warning: lock-kept
UPDATE notes SET id = 1;
-- warning: lock-kept
DELETE FROM notes WHERE id = 2;
-- warning: lock-kept
CREATE INDEX ON notes (id);
-- warning: lock-kept
ALTER TABLE notes ADD PRIMARY KEY (id);
ALTER TABLE notes ADD COLUMN more text;
-- warning: lock-kept
CREATE TABLE copies AS SELECT id FROM notes;

-- == a new table with rows of its own alone
CREATE TABLE notes (id int, user_id uuid REFERENCES users (id));
INSERT INTO notes VALUES (1);
UPDATE notes SET id = 2;
CREATE INDEX ON notes (id);

-- == a column that gets the type that it has
ALTER TABLE users ALTER COLUMN id TYPE uuid, ALTER COLUMN name TYPE text;
-- destructive: column-type
ALTER TABLE users ALTER COLUMN id TYPE uuid USING gen_random_uuid();
-- destructive: column-type
ALTER TABLE users ALTER COLUMN created_at TYPE timestamptz(3);
-- destructive: column-type
ALTER TABLE orders ALTER COLUMN status TYPE order_status;

-- == a lock that lasts as long as what is read after it
ALTER TABLE users ADD COLUMN note text;
-- warning: lock-kept
CREATE MATERIALIZED VIEW emails AS SELECT email, count(*) FROM users GROUP BY email;
-- warning: lock-kept
INSERT INTO settings SELECT id FROM orders;
INSERT INTO settings VALUES (1);

-- == NOT NULL after a CHECK that is valid, or not yet
ALTER TABLE orders ALTER COLUMN number SET NOT NULL;
-- destructive: set-not-null
ALTER TABLE users ALTER COLUMN name SET NOT NULL;
-- warning: lock-kept
ALTER TABLE users VALIDATE CONSTRAINT users_name_given;
ALTER TABLE users ALTER COLUMN name SET NOT NULL;
-- destructive: drop-constraint
ALTER TABLE orders DROP CONSTRAINT orders_numbered, ALTER COLUMN number DROP NOT NULL;
-- destructive: set-not-null
ALTER TABLE orders ALTER COLUMN number SET NOT NULL;

-- == NOT NULL on an existing column
-- destructive: set-not-null
ALTER TABLE users ALTER COLUMN name SET NOT NULL;
ALTER TABLE users ALTER COLUMN phone SET NOT NULL;
ALTER TABLE users ALTER COLUMN phone DROP NOT NULL;

-- == a default that is dropped and set again
ALTER TABLE users ALTER COLUMN created_at DROP DEFAULT;
ALTER TABLE users ALTER COLUMN created_at SET DEFAULT now();

-- == defaults
ALTER TABLE users ALTER COLUMN name SET DEFAULT 'nobody';
-- destructive: drop-default
ALTER TABLE users ALTER COLUMN created_at DROP DEFAULT;
-- destructive: drop-default
ALTER TABLE users ALTER COLUMN created_at SET DEFAULT NULL::timestamptz;
ALTER TABLE users ALTER COLUMN email SET DEFAULT NULL;
ALTER TABLE users ALTER COLUMN email SET DEFAULT '';
ALTER TABLE users ALTER COLUMN email DROP DEFAULT;
-- destructive: rename
ALTER TABLE users RENAME COLUMN email TO mail;
-- destructive: rename
ALTER TABLE users RENAME COLUMN name TO email;
-- destructive: drop-default
ALTER TABLE users ALTER COLUMN email DROP DEFAULT;

-- == a CHECK or foreign key that scans the table
-- destructive: constraint-validates
ALTER TABLE orders ADD CONSTRAINT positive CHECK (total > 0);
-- destructive: constraint-validates
ALTER TABLE orders ADD CONSTRAINT orders_courier_fkey FOREIGN KEY (courier_id) REFERENCES users (id);
-- destructive: constraint-validates
ALTER TABLE orders ADD CHECK (total > 0);

-- == a constraint that is validated in a file of its own
-- file 1.sql
-- warning: rows-refused
ALTER TABLE orders ADD CONSTRAINT positive CHECK (total > 0) NOT VALID;
-- file 2.sql
ALTER TABLE orders VALIDATE CONSTRAINT positive;

-- == a CHECK or foreign key that is validated later
-- warning: rows-refused
ALTER TABLE orders ADD CONSTRAINT positive CHECK (total > 0) NOT VALID;
-- warning: rows-refused
ALTER TABLE orders ADD CONSTRAINT orders_courier_fkey FOREIGN KEY (courier_id) REFERENCES users (id) NOT VALID;
-- warning: lock-kept
ALTER TABLE orders VALIDATE CONSTRAINT positive;

-- == a constraint that is validated later, and what it refuses from now on
-- warning: rows-refused
ALTER TABLE orders ADD CONSTRAINT no_more CHECK (false) NOT VALID;
-- warning: rows-refused
ALTER TABLE orders ADD CONSTRAINT closed CHECK (1 = 0 AND total > 0) NOT VALID;
-- warning: rows-refused
ALTER TABLE orders ADD CONSTRAINT numbered NOT NULL number NOT VALID;
ALTER TABLE orders ADD COLUMN tip int, ADD CONSTRAINT tips CHECK (tip > 0) NOT VALID;
ALTER TABLE orders ADD CONSTRAINT anything CHECK (true) NOT VALID;
ALTER TABLE orders DROP CONSTRAINT orders_total_check;
-- warning: rows-refused
ALTER TABLE orders ADD CONSTRAINT orders_total_check CHECK (NOT true) NOT VALID;

-- == a key that builds its index
-- destructive: constraint-builds-index
ALTER TABLE orders ADD CONSTRAINT orders_number_key UNIQUE (number);
-- destructive: constraint-builds-index
ALTER TABLE orders ADD PRIMARY KEY (id);
-- destructive: constraint-builds-index
ALTER TABLE orders ADD EXCLUDE USING gist (during WITH &&);

-- == a key over an index that is there
-- warning: unique-index
CREATE UNIQUE INDEX CONCURRENTLY orders_number_key ON orders (number);
ALTER TABLE orders ADD CONSTRAINT orders_number_key UNIQUE USING INDEX orders_number_key;

-- == a primary key over an index that is there
-- destructive: set-not-null
ALTER TABLE orders ADD PRIMARY KEY USING INDEX orders_ids;
-- destructive: set-not-null
ALTER TABLE orders ADD PRIMARY KEY USING INDEX orders_who_knows;
-- warning: unique-index
CREATE UNIQUE INDEX CONCURRENTLY orders_key ON orders (id, number);
ALTER TABLE orders ADD CONSTRAINT orders_key PRIMARY KEY USING INDEX orders_key;
-- warning: unique-index
CREATE UNIQUE INDEX CONCURRENTLY users_key ON users (name);
-- destructive: set-not-null
ALTER TABLE users ADD CONSTRAINT users_key PRIMARY KEY USING INDEX users_key;

-- == a constraint in the place of another
ALTER TABLE orders DROP CONSTRAINT orders_kind_check;
ALTER TABLE orders ADD CONSTRAINT orders_kind_check CHECK (kind IN ('b', 'c', 'a')) NOT VALID;
ALTER TABLE orders DROP CONSTRAINT orders_kind_check;
-- warning: rows-refused
ALTER TABLE orders ADD CONSTRAINT orders_kind_check CHECK (kind IN ('b', 'c')) NOT VALID;
ALTER TABLE orders DROP CONSTRAINT orders_total_check;
-- warning: rows-refused
ALTER TABLE orders ADD CONSTRAINT orders_total_check CHECK (total >= 5) NOT VALID;
ALTER TABLE orders DROP CONSTRAINT orders_user_id_fkey;
ALTER TABLE orders ADD CONSTRAINT orders_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users NOT VALID;
ALTER TABLE orders DROP CONSTRAINT orders_user_id_fkey;
-- warning: reference-changed
ALTER TABLE orders ADD CONSTRAINT orders_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE NOT VALID;
ALTER TABLE orders DROP CONSTRAINT orders_user_id_fkey;
-- warning: rows-refused
ALTER TABLE orders ADD CONSTRAINT orders_user_id_fkey FOREIGN KEY (user_id) REFERENCES people (id) NOT VALID;

-- == a reference that is checked at another time
-- warning: reference-changed
ALTER TABLE orders ALTER CONSTRAINT orders_user_id_fkey DEFERRABLE INITIALLY DEFERRED;
-- unknown: table-change
ALTER TABLE orders ALTER CONSTRAINT orders_user_id_fkey NOT ENFORCED;

-- == drop a constraint
-- destructive: drop-constraint
ALTER TABLE orders DROP CONSTRAINT orders_total_check;
-- destructive: drop-constraint
ALTER TABLE users DROP CONSTRAINT users_email_key;
ALTER TABLE orders DROP CONSTRAINT IF EXISTS nothing_of_the_kind;

-- == drop a CHECK and add it again, not validated
ALTER TABLE orders DROP CONSTRAINT IF EXISTS orders_total_check;
ALTER TABLE orders ADD CONSTRAINT orders_total_check CHECK (total >= 0) NOT VALID;

-- == drop a CHECK and add it again with a scan
ALTER TABLE orders DROP CONSTRAINT orders_total_check;
-- destructive: constraint-validates
ALTER TABLE orders ADD CONSTRAINT orders_total_check CHECK (total >= 0);

-- == drop a key and add it again
-- destructive: drop-constraint
ALTER TABLE users DROP CONSTRAINT users_email_key;
-- warning: rows-refused
ALTER TABLE users ADD CONSTRAINT users_email_key CHECK (email <> '') NOT VALID;

-- == an index on an existing table
-- destructive: index-blocks
CREATE INDEX orders_status_idx ON orders (status);
-- destructive: index-blocks
CREATE UNIQUE INDEX IF NOT EXISTS orders_number ON public.orders USING btree (number);
CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_status_idx2 ON orders (status);
CREATE INDEX IF NOT EXISTS orders_user_id_idx ON orders (user_id);

-- == an index on a table that is tiny
CREATE INDEX settings_name ON settings (name);
CREATE INDEX settings_words ON settings USING gin (to_tsvector('simple', name)) WHERE name <> '';
-- warning: unique-index
CREATE UNIQUE INDEX settings_key ON settings (name);
-- destructive: index-blocks
CREATE INDEX settings_code ON settings (make_code(name));
-- destructive: index-blocks
CREATE INDEX settings_near ON settings USING hnsw (embedding);
-- destructive: index-blocks
CREATE INDEX events_at ON events (at);
INSERT INTO settings SELECT 'x' FROM generate_series(1, 10000000);
-- destructive: index-blocks
CREATE INDEX settings_value ON settings (value);

-- == an index on a tiny table, after what nobody knows
-- unknown: function
SELECT fill_settings();
-- destructive: index-blocks
CREATE INDEX settings_name ON settings (name);

-- == an index on a materialized view
-- destructive: index-blocks
CREATE INDEX daily ON daily_totals (day);

-- == row level security on an existing table
-- destructive: row-security
ALTER TABLE orders ENABLE ROW LEVEL SECURITY;
-- destructive: row-security
ALTER TABLE users FORCE ROW LEVEL SECURITY;
-- destructive: row-security
ALTER TABLE people DISABLE ROW LEVEL SECURITY;
-- destructive: row-security
ALTER TABLE people ENABLE ROW LEVEL SECURITY;

-- == row level security on a new table that no policy opens
-- file 1.sql
CREATE TABLE notes (id int);
ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
CREATE TABLE secrets (id int);
-- warning: no-policy
ALTER TABLE secrets ENABLE ROW LEVEL SECURITY;
CREATE TABLE drafts (id int);
ALTER TABLE drafts ENABLE ROW LEVEL SECURITY;
DROP TABLE drafts;
-- file 2.sql
CREATE POLICY "Read all" ON notes FOR SELECT USING (true);

-- == row level security as it stands already
ALTER TABLE people ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE users DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;
-- destructive: row-security
ALTER TABLE users ENABLE ROW LEVEL SECURITY;
ALTER TABLE users ENABLE ROW LEVEL SECURITY;
-- destructive: row-security
ALTER TABLE settings DISABLE ROW LEVEL SECURITY;

-- == row level security that was perhaps switched
-- destructive: row-security
DO $$ BEGIN
  IF now() > '2030-01-01' THEN ALTER TABLE people DISABLE ROW LEVEL SECURITY; END IF;
END $$;
-- destructive: row-security
ALTER TABLE people ENABLE ROW LEVEL SECURITY;

-- == switch triggers
-- destructive: trigger-switch
ALTER TABLE users DISABLE TRIGGER users_touch;
-- destructive: trigger-switch
ALTER TABLE users DISABLE TRIGGER ALL;

-- == switch triggers off and on again
ALTER TABLE users DISABLE TRIGGER users_touch;
ALTER TABLE users ENABLE TRIGGER users_touch;
ALTER TABLE orders DISABLE TRIGGER USER;
DO $$ BEGIN ALTER TABLE orders ENABLE TRIGGER USER; END $$;
-- destructive: trigger-switch
ALTER TABLE users ENABLE TRIGGER users_other;
-- destructive: trigger-switch
ALTER TABLE orders DISABLE TRIGGER ALL;
-- destructive: trigger-switch
ALTER TABLE users ENABLE TRIGGER ALL;

-- == settings of a table
ALTER TABLE orders SET (autovacuum_vacuum_scale_factor = 0.01);
ALTER TABLE orders ALTER COLUMN status SET STATISTICS 500;
ALTER TABLE orders REPLICA IDENTITY FULL;
-- destructive: replica-identity
ALTER TABLE orders REPLICA IDENTITY NOTHING;
-- destructive: table-rewrite
ALTER TABLE orders SET UNLOGGED;
-- destructive: table-rewrite
ALTER TABLE orders SET TABLESPACE fast;
-- unknown: table-change
ALTER VIEW active_users SET (security_invoker = true);
-- unknown: table-change
ALTER TABLE users ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY;

-- == partitions
CREATE TABLE events_2026 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE events_2027 (LIKE events INCLUDING ALL);
ALTER TABLE events ATTACH PARTITION events_2027 FOR VALUES FROM ('2027-01-01') TO ('2028-01-01');
-- destructive: partition
ALTER TABLE events ATTACH PARTITION orders FOR VALUES FROM ('2028-01-01') TO ('2029-01-01');
-- destructive: partition
ALTER TABLE events DETACH PARTITION events_2025 CONCURRENTLY;

-- == a partition beside a DEFAULT one
-- destructive: default-partition
CREATE TABLE visits_2026 PARTITION OF visits FOR VALUES FROM (1) TO (2);
CREATE TABLE visits_2027 (LIKE visits);
-- destructive: default-partition
ALTER TABLE visits ATTACH PARTITION visits_2027 FOR VALUES FROM (2) TO (3);
CREATE TABLE hits_2026 PARTITION OF hits FOR VALUES FROM (1) TO (2);

-- == an old table below a new parent
CREATE TABLE parent (id uuid) PARTITION BY HASH (id);
-- destructive: partition
ALTER TABLE parent ATTACH PARTITION users FOR VALUES WITH (modulus 1, remainder 0);
-- destructive: rows-deleted
DELETE FROM parent;

-- == inheritance
-- destructive: inherit
ALTER TABLE users INHERIT people;
-- destructive: inherit
ALTER TABLE users NO INHERIT people;

-- == a new table that old rows depend on
CREATE TABLE plans (id int PRIMARY KEY);
ALTER TABLE users ADD COLUMN plan_id int REFERENCES plans ON DELETE CASCADE;
-- destructive: rows-deleted
DELETE FROM plans;
