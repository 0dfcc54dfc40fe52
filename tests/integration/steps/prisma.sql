-- Made by python -m tests.interop.steps prisma, with version 6.19.3.
-- step
-- CreateSchema
CREATE SCHEMA IF NOT EXISTS "public";

-- CreateEnum
CREATE TYPE "Mood" AS ENUM ('GOOD', 'BAD');

-- CreateTable
CREATE TABLE "Buyer" (
    "id" SERIAL NOT NULL,
    "name" VARCHAR(40) NOT NULL,
    "phone" TEXT,
    "score" INTEGER NOT NULL DEFAULT 0,
    "mood" "Mood" NOT NULL DEFAULT 'GOOD',

    CONSTRAINT "Buyer_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "Order" (
    "id" SERIAL NOT NULL,
    "buyerId" INTEGER NOT NULL,
    "note" VARCHAR(20) NOT NULL,
    "at" TIMESTAMP(3),

    CONSTRAINT "Order_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "Order_note_idx" ON "Order"("note");

-- AddForeignKey
ALTER TABLE "Order" ADD CONSTRAINT "Order_buyerId_fkey" FOREIGN KEY ("buyerId") REFERENCES "Buyer"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
-- step
-- CreateTable
CREATE TABLE "Tag" (
    "id" INTEGER NOT NULL,
    "word" TEXT NOT NULL,

    CONSTRAINT "Tag_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "Tag_word_key" ON "Tag"("word");
-- step
-- AlterTable
ALTER TABLE "Buyer" ADD COLUMN     "email" TEXT;
-- step
-- AlterTable
ALTER TABLE "Buyer" ADD COLUMN     "city" TEXT NOT NULL DEFAULT '';
-- step
-- AlterTable
ALTER TABLE "Buyer" ADD COLUMN     "key" TEXT NOT NULL;
-- step
-- AlterTable
ALTER TABLE "Order" ADD COLUMN     "more" JSONB;
-- step
-- AlterTable
ALTER TABLE "Buyer" ALTER COLUMN "name" SET DATA TYPE VARCHAR(80);
-- step
-- AlterTable
ALTER TABLE "Buyer" ALTER COLUMN "phone" SET NOT NULL,
ALTER COLUMN "phone" SET DEFAULT '';
-- step
-- AlterTable
ALTER TABLE "Buyer" ALTER COLUMN "score" SET DATA TYPE BIGINT;
-- step
-- CreateIndex
CREATE UNIQUE INDEX "Buyer_email_key" ON "Buyer"("email");
-- step
-- AlterEnum
ALTER TYPE "Mood" ADD VALUE 'UGLY';
-- step
-- CreateIndex
CREATE INDEX "Order_at_idx" ON "Order"("at");
-- step
-- AlterEnum
CREATE TYPE "Mood_new" AS ENUM ('GOOD', 'BAD');
ALTER TABLE "Buyer" ALTER COLUMN "mood" DROP DEFAULT;
ALTER TABLE "Buyer" ALTER COLUMN "mood" TYPE "Mood_new" USING ("mood"::text::"Mood_new");
ALTER TYPE "Mood" RENAME TO "Mood_old";
ALTER TYPE "Mood_new" RENAME TO "Mood";
DROP TYPE "Mood_old";
ALTER TABLE "Buyer" ALTER COLUMN "mood" SET DEFAULT 'GOOD';
-- step
-- DropForeignKey
ALTER TABLE "Order" DROP CONSTRAINT "Order_buyerId_fkey";

-- AddForeignKey
ALTER TABLE "Order" ADD CONSTRAINT "Order_buyerId_fkey" FOREIGN KEY ("buyerId") REFERENCES "Buyer"("id") ON DELETE CASCADE ON UPDATE CASCADE;
-- step
-- DropIndex
DROP INDEX "Order_at_idx";
-- step
-- AlterTable
ALTER TABLE "Buyer" DROP COLUMN "city",
ADD COLUMN     "town" TEXT NOT NULL DEFAULT '';
-- step
-- AlterTable
ALTER TABLE "Order" DROP COLUMN "at";
-- step
-- DropTable
DROP TABLE "Tag";
