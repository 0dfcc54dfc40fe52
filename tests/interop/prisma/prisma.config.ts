// Prisma over node-postgres, for its own engine is a download. DATABASE_URL names the database, MIGRATIONS the folder.
import path from 'node:path'
import { PrismaPg } from '@prisma/adapter-pg'
import { defineConfig } from 'prisma/config'

// The adapter cuts a script at every semicolon; Prisma's own engine sends it whole, and so do we.
class WholeScripts extends PrismaPg {
  async connect() {
    const connected = await super.connect()
    connected.executeScript = async (script: string) => {
      await connected.client.query(script)
    }
    return connected
  }
}

// Prisma's ten seconds of patience with its lock go on after it has the lock, and would keep it from ending.
const patient = globalThis.setTimeout
globalThis.setTimeout = ((run: () => void, milliseconds: number, ...more: unknown[]) => {
  const timer = patient(run, milliseconds, ...more)
  if (milliseconds >= 5_000) timer.unref()
  return timer
}) as typeof setTimeout

export default defineConfig({
  experimental: { adapter: true },
  engine: 'js',
  schema: path.join(import.meta.dirname, 'schema.prisma'),
  migrations: { path: process.env.MIGRATIONS },
  // An idle connection keeps a failed run alive for ten seconds.
  adapter: async () =>
    new WholeScripts({ connectionString: process.env.DATABASE_URL, idleTimeoutMillis: 50 }),
})
