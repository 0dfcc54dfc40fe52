-- Made by python -m tests.interop.steps prisma, with version 6.19.3.
-- step
CREATE SCHEMA IF NOT EXISTS "public";
CREATE TYPE "Mood" AS ENUM ('GOOD', 'BAD');
CREATE TABLE "Buyer" (
    "id" SERIAL NOT NULL,
    "name" VARCHAR(40) NOT NULL,
    "phone" TEXT,
    "score" INTEGER NOT NULL DEFAULT 0,
    "mood" "Mood" NOT NULL DEFAULT 'GOOD',
    CONSTRAINT "Buyer_pkey" PRIMARY KEY ("id")
);
CREATE TABLE "Order" (
    "id" SERIAL NOT NULL,
    "buyerId" INTEGER NOT NULL,
    "note" VARCHAR(20) NOT NULL,
    "at" TIMESTAMP(3),
    CONSTRAINT "Order_pkey" PRIMARY KEY ("id")
);
CREATE INDEX "Order_note_idx" ON "Order"("note");
ALTER TABLE "Order" ADD CONSTRAINT "Order_buyerId_fkey" FOREIGN KEY ("buyerId") REFERENCES "Buyer"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
-- step
CREATE TABLE "Tag" (
    "id" INTEGER NOT NULL,
    "word" TEXT NOT NULL,
    CONSTRAINT "Tag_pkey" PRIMARY KEY ("id")
);
CREATE UNIQUE INDEX "Tag_word_key" ON "Tag"("word");
-- step
ALTER TABLE "Buyer" ADD COLUMN     "email" TEXT;
-- step
ALTER TABLE "Buyer" ADD COLUMN     "city" TEXT NOT NULL DEFAULT '';
-- step
ALTER TABLE "Buyer" ADD COLUMN     "key" TEXT NOT NULL;
-- step
ALTER TABLE "Order" ADD COLUMN     "more" JSONB;
-- step
ALTER TABLE "Buyer" ALTER COLUMN "name" SET DATA TYPE VARCHAR(80);
-- step
ALTER TABLE "Buyer" ALTER COLUMN "phone" SET NOT NULL,
ALTER COLUMN "phone" SET DEFAULT '';
-- step
ALTER TABLE "Buyer" ALTER COLUMN "score" SET DATA TYPE BIGINT;
-- step
CREATE UNIQUE INDEX "Buyer_email_key" ON "Buyer"("email");
-- step
ALTER TYPE "Mood" ADD VALUE 'UGLY';
-- step
CREATE INDEX "Order_at_idx" ON "Order"("at");
-- step
CREATE TYPE "Mood_new" AS ENUM ('GOOD', 'BAD');
ALTER TABLE "Buyer" ALTER COLUMN "mood" DROP DEFAULT;
ALTER TABLE "Buyer" ALTER COLUMN "mood" TYPE "Mood_new" USING ("mood"::text::"Mood_new");
ALTER TYPE "Mood" RENAME TO "Mood_old";
ALTER TYPE "Mood_new" RENAME TO "Mood";
DROP TYPE "Mood_old";
ALTER TABLE "Buyer" ALTER COLUMN "mood" SET DEFAULT 'GOOD';
-- step
ALTER TABLE "Order" DROP CONSTRAINT "Order_buyerId_fkey";
ALTER TABLE "Order" ADD CONSTRAINT "Order_buyerId_fkey" FOREIGN KEY ("buyerId") REFERENCES "Buyer"("id") ON DELETE CASCADE ON UPDATE CASCADE;
-- step
DROP INDEX "Order_at_idx";
-- step
ALTER TABLE "Buyer" DROP COLUMN "city",
ADD COLUMN     "town" TEXT NOT NULL DEFAULT '';
-- step
ALTER TABLE "Order" DROP COLUMN "at";
-- step
DROP TABLE "Tag";
