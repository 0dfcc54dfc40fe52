-- Written by hand, as the PostgreSQL adapter of Ecto SQL 3 prints a migration each.
-- step
CREATE TABLE IF NOT EXISTS "schema_migrations" ("version" bigint, "inserted_at" timestamp(0), PRIMARY KEY ("version"));
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE TABLE "buyers" ("id" bigserial, "name" varchar(40) NOT NULL, "phone" varchar(255), "score" integer DEFAULT 0 NOT NULL, "mood" mood, PRIMARY KEY ("id"));
CREATE TABLE "orders" ("id" bigserial, "buyer_id" bigint NOT NULL CONSTRAINT "orders_buyer_id_fkey" REFERENCES "buyers"("id"), "note" varchar(20) NOT NULL, "at" date, PRIMARY KEY ("id"));
CREATE INDEX "orders_buyer_id_index" ON "orders" ("buyer_id");
-- step
CREATE TABLE "tags" ("id" bigserial, "word" varchar(255) NOT NULL, "inserted_at" timestamp(0) NOT NULL, "updated_at" timestamp(0) NOT NULL, PRIMARY KEY ("id"));
CREATE UNIQUE INDEX "tags_word_index" ON "tags" ("word");
INSERT INTO "schema_migrations" ("version","inserted_at") VALUES (20260102000000,'2026-01-02 00:00:00');
-- step
ALTER TABLE "buyers" ADD COLUMN "email" varchar(255);
-- step
ALTER TABLE "buyers" ADD COLUMN IF NOT EXISTS "email" varchar(255);
-- step
ALTER TABLE "buyers" ADD COLUMN "city" varchar(255) DEFAULT '' NOT NULL, ADD COLUMN "more" jsonb DEFAULT '{}' NOT NULL;
-- step
ALTER TABLE "orders" ADD COLUMN "inserted_at" timestamp(0) DEFAULT now() NOT NULL, ADD COLUMN "updated_at" timestamp(0) DEFAULT now() NOT NULL;
-- step
ALTER TABLE "orders" ADD COLUMN "tag_id" bigint, ADD CONSTRAINT "orders_tag_id_fkey" FOREIGN KEY ("tag_id") REFERENCES "tags"("id") ON DELETE SET NULL;
-- step
CREATE INDEX "orders_note_index" ON "orders" ("note");
-- step
CREATE INDEX CONCURRENTLY IF NOT EXISTS "orders_at_index" ON "orders" ("at") WHERE at IS NOT NULL;
-- step
CREATE UNIQUE INDEX CONCURRENTLY "buyers_lower_email_index" ON "buyers" (lower(email));
-- step
CREATE INDEX CONCURRENTLY "buyers_more_index" ON "buyers" USING gin ("more");
-- step
ALTER TABLE "buyers" ALTER COLUMN "name" TYPE varchar(80);
-- step
ALTER TABLE "buyers" ALTER COLUMN "name" TYPE text, ALTER COLUMN "name" DROP NOT NULL;
-- step
ALTER TABLE "buyers" ALTER COLUMN "phone" TYPE varchar(255), ALTER COLUMN "phone" SET NOT NULL, ALTER COLUMN "phone" SET DEFAULT '';
-- step
ALTER TABLE "buyers" ALTER COLUMN "phone" TYPE varchar(255), ALTER COLUMN "phone" DROP NOT NULL;
-- step
ALTER TABLE "buyers" ALTER COLUMN "email" TYPE varchar(99);
-- step
ALTER TABLE "buyers" ALTER COLUMN "score" TYPE bigint;
-- step
ALTER TABLE "orders" ADD CONSTRAINT "note_is_there" CHECK (note <> '') NOT VALID;
-- step
ALTER TABLE orders VALIDATE CONSTRAINT note_is_there;
-- step
ALTER TABLE "orders" DROP CONSTRAINT "note_is_there";
-- step
ALTER TABLE "orders" ADD CONSTRAINT "note_is_short" CHECK (length(note) < 999);
-- step
ALTER TYPE mood ADD VALUE IF NOT EXISTS 'ugly';
-- step
CREATE TABLE "orders_tags" ("order_id" bigint, "tag_id" bigint, CONSTRAINT "orders_tags_order_id_fkey" FOREIGN KEY ("order_id") REFERENCES "orders"("id") ON DELETE CASCADE);
CREATE UNIQUE INDEX "orders_tags_order_id_tag_id_index" ON "orders_tags" ("order_id", "tag_id");
-- step
UPDATE orders AS o SET "note" = o.note || '!' WHERE (o."id" < 9);
-- step
ALTER TABLE "buyers" RENAME COLUMN "city" TO "town";
-- step
COMMENT ON COLUMN "buyers"."town" IS 'where they live';
-- step
ALTER TABLE "orders" RENAME TO "purchases";
-- step
DROP INDEX CONCURRENTLY "orders_at_index";
-- step
DROP INDEX CONCURRENTLY IF EXISTS "orders_at_index";
-- step
DROP INDEX IF EXISTS "orders_note_index";
-- step
ALTER TABLE "purchases" DROP CONSTRAINT "orders_tag_id_fkey";
ALTER TABLE "purchases" ALTER COLUMN "tag_id" TYPE bigint, ADD CONSTRAINT "orders_tag_id_fkey" FOREIGN KEY ("tag_id") REFERENCES "tags"("id") ON DELETE CASCADE;
-- step
ALTER TABLE "purchases" DROP COLUMN "at", DROP COLUMN IF EXISTS "absent";
-- step
DROP TABLE "orders_tags";
-- step
DROP TABLE IF EXISTS "tags" CASCADE;
