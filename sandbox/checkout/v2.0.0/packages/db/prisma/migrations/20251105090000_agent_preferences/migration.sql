-- AlterTable
ALTER TABLE "wallets" ADD COLUMN "preferred_agent" TEXT;

-- CreateTable
CREATE TABLE "agent_preferences" (
    "phone" TEXT NOT NULL,
    "opted_out" BOOLEAN NOT NULL DEFAULT false,
    "language" TEXT NOT NULL DEFAULT 'rw',
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "agent_preferences_pkey" PRIMARY KEY ("phone")
);
