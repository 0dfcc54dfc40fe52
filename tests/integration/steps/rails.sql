-- Written by hand, as the PostgreSQL adapter of ActiveRecord 8 prints a migration each.
-- step
DO $$
BEGIN
    IF NOT EXISTS (
      SELECT 1
      FROM pg_type t
      JOIN pg_namespace n ON t.typnamespace = n.oid
      WHERE t.typname = 'mood'
        AND n.nspname = ANY (current_schemas(false))
    ) THEN
        CREATE TYPE "mood" AS ENUM ('good', 'bad');
    END IF;
END
$$;
CREATE TABLE "schema_migrations" ("version" character varying NOT NULL PRIMARY KEY);
CREATE TABLE "ar_internal_metadata" ("key" character varying NOT NULL PRIMARY KEY, "value" character varying, "created_at" timestamp(6) NOT NULL, "updated_at" timestamp(6) NOT NULL);
CREATE TABLE "buyers" ("id" bigserial primary key, "name" character varying(40) NOT NULL, "phone" character varying, "score" integer DEFAULT 0 NOT NULL, "mood" mood);
CREATE TABLE "orders" ("id" bigserial primary key, "buyer_id" bigint NOT NULL, "note" character varying(20) NOT NULL, "at" date, CONSTRAINT "fk_rails_1f4a0d5a7c"
FOREIGN KEY ("buyer_id")
  REFERENCES "buyers" ("id")
);
CREATE INDEX "index_orders_on_buyer_id" ON "orders" ("buyer_id");
INSERT INTO "schema_migrations" ("version") VALUES ('20260101000000');
-- step
CREATE TABLE "tags" ("id" bigserial primary key, "word" character varying NOT NULL, "created_at" timestamp(6) NOT NULL, "updated_at" timestamp(6) NOT NULL);
CREATE UNIQUE INDEX "index_tags_on_word" ON "tags" ("word");
INSERT INTO "schema_migrations" ("version") VALUES ('20260102000000') RETURNING "version";
-- step
ALTER TABLE "buyers" ADD "email" character varying;
-- step
ALTER TABLE "buyers" ADD "city" character varying DEFAULT '' NOT NULL;
-- step
ALTER TABLE "orders" ADD "created_at" timestamp(6) DEFAULT CURRENT_TIMESTAMP NOT NULL, ADD "updated_at" timestamp(6) DEFAULT CURRENT_TIMESTAMP NOT NULL;
-- step
ALTER TABLE "orders" ADD "tag_id" bigint;
CREATE INDEX "index_orders_on_tag_id" ON "orders" ("tag_id");
ALTER TABLE "orders" ADD CONSTRAINT "fk_rails_59a7e0e3ff"
FOREIGN KEY ("tag_id")
  REFERENCES "tags" ("id")
;
-- step
CREATE INDEX CONCURRENTLY "index_orders_on_note" ON "orders" ("note");
-- step
CREATE UNIQUE INDEX CONCURRENTLY "index_buyers_on_lower_email" ON "buyers" (lower("email"));
-- step
CREATE INDEX CONCURRENTLY IF NOT EXISTS "index_orders_on_at" ON "orders" ("at") WHERE at IS NOT NULL;
-- step
ALTER TABLE "buyers" ALTER COLUMN "name" TYPE character varying(80);
-- step
ALTER TABLE "buyers" ALTER COLUMN "email" TYPE character varying(200);
-- step
UPDATE "buyers" SET "phone"='' WHERE "phone" IS NULL;
ALTER TABLE "buyers" ALTER COLUMN "phone" SET NOT NULL;
-- step
ALTER TABLE "buyers" ALTER COLUMN "phone" DROP NOT NULL;
-- step
ALTER TABLE "buyers" ALTER COLUMN "city" SET DEFAULT 'Rome';
-- step
ALTER TABLE "buyers" ALTER COLUMN "city" DROP DEFAULT;
-- step
ALTER TABLE "buyers" ALTER COLUMN "score" TYPE bigint;
-- step
ALTER TABLE "orders" ADD CONSTRAINT chk_rails_7d1d2c4f3b CHECK (note <> '') NOT VALID;
-- step
ALTER TABLE "orders" VALIDATE CONSTRAINT "chk_rails_7d1d2c4f3b";
-- step
ALTER TABLE "orders" DROP CONSTRAINT "chk_rails_7d1d2c4f3b";
-- step
ALTER TABLE "orders" ADD CONSTRAINT chk_rails_0000000001 CHECK (length(note) < 999);
-- step
ALTER TYPE "mood" ADD VALUE IF NOT EXISTS 'ugly';
-- step
CREATE TABLE "orders_tags" ("order_id" bigint NOT NULL, "tag_id" bigint NOT NULL);
CREATE INDEX "index_orders_tags_on_order_id_and_tag_id" ON "orders_tags" ("order_id", "tag_id");
-- step
ALTER TABLE "buyers" RENAME COLUMN "city" TO "town";
-- step
ALTER TABLE "orders" RENAME TO "purchases";
ALTER TABLE "public"."orders_id_seq" RENAME TO "purchases_id_seq";
ALTER INDEX "orders_pkey" RENAME TO "purchases_pkey";
ALTER INDEX "index_orders_on_buyer_id" RENAME TO "index_purchases_on_buyer_id";
-- step
COMMENT ON COLUMN "buyers"."town" IS 'where they live';
-- step
DROP INDEX CONCURRENTLY "index_orders_on_note";
-- step
DROP INDEX CONCURRENTLY IF EXISTS "index_orders_on_note";
-- step
ALTER TABLE "purchases" DROP COLUMN "at";
-- step
ALTER TABLE "purchases" DROP CONSTRAINT "fk_rails_59a7e0e3ff";
ALTER TABLE "purchases" ADD CONSTRAINT "fk_rails_59a7e0e3ff"
FOREIGN KEY ("tag_id")
  REFERENCES "tags" ("id")
 ON DELETE CASCADE NOT VALID;
-- step
ALTER TABLE "purchases" VALIDATE CONSTRAINT "fk_rails_59a7e0e3ff";
-- step
DROP TABLE "orders_tags";
-- step
DROP TABLE IF EXISTS "tags" CASCADE;
