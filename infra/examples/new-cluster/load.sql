-- What an application sends, for pgbench.
\set id random(1, 500000)
\set total random(1, 900)
BEGIN;
INSERT INTO orders (total, note) VALUES (:total, 'from pgbench');
UPDATE orders SET status = 'paid', total = total + 1 WHERE id = :id;
COMMIT;
