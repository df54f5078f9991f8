-- What an application sends, for pgbench: a third of the changes moves an order to another day, and mostly to another month. Nothing
-- in it says ON CONFLICT (id), which no partitioned table has whose key is wider.
\set id random(1, 2000000)
\set day random(0, 364)
\set what random(0, 9)
BEGIN;
SELECT pg_advisory_xact_lock(4711, :id);
DELETE FROM orders WHERE id = :id AND :what = 9;
UPDATE orders SET note = 'moved ' || :day, placed_on = date '2026-01-01' + :day WHERE id = :id AND :what < 3;
UPDATE orders SET note = 'noted ' || :day WHERE id = :id AND :what BETWEEN 3 AND 8;
INSERT INTO orders (id, placed_on, customer_id, note)
  SELECT :id, date '2026-01-01' + :day, :id % 10, 'new' WHERE NOT EXISTS (SELECT FROM orders WHERE id = :id);
COMMIT;
