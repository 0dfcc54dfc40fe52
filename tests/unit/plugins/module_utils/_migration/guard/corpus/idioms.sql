-- == a Supabase migration
BEGIN;
CREATE EXTENSION IF NOT EXISTS pgcrypto;
CREATE TABLE IF NOT EXISTS public.agent_sessions (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id uuid REFERENCES public.users (id),
  state jsonb NOT NULL DEFAULT '{}'::jsonb,
  created_at timestamptz NOT NULL DEFAULT timezone('utc', now())
);
CREATE INDEX IF NOT EXISTS agent_sessions_user_id ON public.agent_sessions USING btree (user_id);
ALTER TABLE public.agent_sessions ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS "Service role" ON public.agent_sessions;
CREATE POLICY "Service role" ON public.agent_sessions FOR ALL TO service_role USING (true) WITH CHECK (true);
CREATE OR REPLACE FUNCTION public.touch_updated_at() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS
$$ BEGIN NEW.updated_at = now(); RETURN NEW; END; $$;
DROP TRIGGER IF EXISTS touch ON public.agent_sessions;
CREATE TRIGGER touch BEFORE UPDATE ON public.agent_sessions FOR EACH ROW EXECUTE FUNCTION public.touch_updated_at();
GRANT ALL ON public.agent_sessions TO service_role;
COMMENT ON TABLE public.agent_sessions IS 'conversations';
INSERT INTO public.agent_sessions (state) VALUES ('{"it''s": "seeded"}') ON CONFLICT DO NOTHING;
COMMIT;

-- == replaced half here, half in another transaction of the same file
BEGIN;
DROP POLICY IF EXISTS "Read own" ON users;
COMMIT;
BEGIN;
CREATE POLICY "Read own" ON users USING (true);
COMMIT;

-- == a table of storage and its policy
INSERT INTO storage.buckets (id, name, public) VALUES ('avatars', 'avatars', true) ON CONFLICT (id) DO NOTHING;
CREATE POLICY "Avatars" ON storage.objects FOR SELECT USING (bucket_id = 'avatars');

-- == a Prisma migration
CREATE TYPE "Channel" AS ENUM ('SMS', 'WHATSAPP');
CREATE TABLE "AgentPreference" (
  "id" TEXT NOT NULL,
  "channel" "Channel" NOT NULL DEFAULT 'SMS',
  "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT "AgentPreference_pkey" PRIMARY KEY ("id")
);
CREATE UNIQUE INDEX "AgentPreference_channel_key" ON "AgentPreference"("channel");
ALTER TABLE "AgentPreference" ADD CONSTRAINT "AgentPreference_fkey" FOREIGN KEY ("id") REFERENCES "Wallet"("id")
ON DELETE RESTRICT ON UPDATE CASCADE;

-- == Prisma's way to change an enum
CREATE TYPE "order_status_new" AS ENUM ('new', 'paid');
-- destructive: column-type
ALTER TABLE orders ALTER COLUMN status TYPE order_status_new USING (status::text::order_status_new);
-- destructive: rename
ALTER TYPE order_status RENAME TO order_status_old;
ALTER TYPE order_status_new RENAME TO order_status;
-- destructive: drop-type
DROP TYPE order_status_old;

-- == add a value to an enum only if it lacks it
DO $$ BEGIN
  IF NOT EXISTS (SELECT 1 FROM pg_enum WHERE enumlabel = 'lost') THEN
    ALTER TYPE order_status ADD VALUE 'lost';
  END IF;
END $$;

-- == add a constraint only if it is missing
-- destructive: constraint-validates
DO $$ BEGIN
  IF NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = 'positive') THEN
    ALTER TABLE orders ADD CONSTRAINT positive CHECK (total > 0);
  END IF;
END $$;

-- == publish a new table
CREATE TABLE live (id int);
DO $$ BEGIN
  ALTER PUBLICATION supabase_realtime ADD TABLE public.live;
EXCEPTION WHEN duplicate_object THEN NULL; WHEN undefined_object THEN NULL;
END $$;

-- == nothing but a comment
-- this file was merged into another; it stays so that the history does

-- == without a catalog, what is not made here exists
-- without a catalog
CREATE TABLE notes (id int);
CREATE INDEX ON notes (id);
-- destructive: index-blocks
CREATE INDEX ON other (id);
-- destructive: drop-table
DROP TABLE IF EXISTS perhaps;
-- destructive: drop-not-recreated
DROP FUNCTION IF EXISTS perhaps;
CREATE TABLE IF NOT EXISTS guessed (id int);
CREATE INDEX ON guessed (id);
