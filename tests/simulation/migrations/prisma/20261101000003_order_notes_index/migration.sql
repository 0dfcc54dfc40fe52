CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_note ON shop.orders (note);
