-- Two million orders of one year, or as many as the setting partitioning.rows says. Lock: none. Duration: some seconds. Undo: TRUNCATE orders.

INSERT INTO orders (id, placed_on, customer_id, note)
SELECT n, date '2026-01-01' + (n % 365)::integer, n % 10, 'order ' || n
FROM generate_series(1, coalesce(nullif(current_setting('partitioning.rows', true), ''), '2000000')::bigint) n;
SELECT setval('orders_id_seq', max(id)) FROM orders;
ANALYZE orders;
