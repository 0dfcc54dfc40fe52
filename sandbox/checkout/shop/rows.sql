-- What the shop has sold so far.
INSERT INTO products (name, price_cents) SELECT 'product ' || n, 100 * n FROM generate_series(1, 50) AS n;
INSERT INTO orders (product_id, quantity) SELECT 1 + n % 50, 1 + n % 3 FROM generate_series(1, 2000) AS n;
