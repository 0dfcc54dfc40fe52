-- The only statement of its file: it can't run in a transaction.
CREATE INDEX CONCURRENTLY "orders_created_at_idx" ON "orders"("created_at");
