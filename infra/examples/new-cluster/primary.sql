-- Orders of a shop in the old cluster. Lock: none. Duration: some seconds. Undo: DROP TABLE orders.

CREATE TABLE orders (
  id serial PRIMARY KEY,
  placed_at timestamptz NOT NULL DEFAULT now(),
  status text NOT NULL DEFAULT 'new',
  total numeric(12, 2) NOT NULL,
  note text
);
INSERT INTO orders (placed_at, status, total, note)
SELECT timestamptz '2026-01-01 UTC' + n * interval '1 minute', (ARRAY['new', 'paid', 'sent'])[1 + n % 3], n % 500 + 0.99, 'order ' || n
FROM generate_series(1, coalesce(nullif(current_setting('new_cluster.rows', true), ''), '500000')::integer) n;
ANALYZE orders;
