/** The SQL of the example: what the application says, and what proves that nothing was lost. */

/** Reads by the old shape and by the new one. After promotion `customer_v2` is another name of the promoted table. */
export const READ_OLD =
  'SELECT customer_id, first_name, last_name, company, email, fax FROM customer WHERE customer_id = $1';
export const READ_NEW =
  'SELECT customer_id, full_name, company_name, email, loyalty_tier FROM customer_v2 WHERE customer_id = $1';

/** Writes that are valid in both shapes; each makes the same change to the twin, in the same statement. */
export const OLD_SHAPE = {
  insert: `WITH twin AS (
      INSERT INTO customer_twin (customer_id, first_name, last_name, city, country, phone, email, support_rep_id)
      VALUES ($1::int, $2, $3, $4, $5, $6, $7, $8::int))
    INSERT INTO customer (customer_id, first_name, last_name, city, country, phone, email, support_rep_id)
    VALUES ($1::int, $2, $3, $4, $5, $6, $7, $8::int)`,
  update: `WITH twin AS (UPDATE customer_twin SET city = $2, phone = $3, email = $4 WHERE customer_id = $1::int)
    UPDATE customer SET city = $2, phone = $3, email = $4 WHERE customer_id = $1::int`,
  delete: `WITH twin AS (DELETE FROM customer_twin WHERE customer_id = $1::int)
    DELETE FROM customer WHERE customer_id = $1::int`,
} as const;

/** The twin begins as a copy of Chinook's customers, in the old shape. */
export const CREATE_TWIN = `
  CREATE TABLE customer_twin AS TABLE customer;
  ALTER TABLE customer_twin ADD PRIMARY KEY (customer_id);`;

/** An old-shape row as the new shape has it, written by hand: independent of the code that is being proven. */
const AS_NEW = `customer_id::bigint, first_name::varchar, last_name::varchar, (first_name || ' ' || last_name)::text, company::varchar,
  address::varchar, city::varchar, state::varchar, country::varchar, postal_code::text, phone::varchar, email::text, support_rep_id::int`;
const NEW_COLUMNS = `customer_id, first_name, last_name, full_name, company_name,
  address, city, state, country, postal_code, phone, email, support_rep_id`;
/** Columns that both old-shape tables must agree on. */
const OLD_COLUMNS = `customer_id, first_name, last_name, company, address, city, state, country, postal_code, phone, fax, email, support_rep_id`;

/**
 * Rows that are in one of two tables only, counted in one snapshot and in both directions.
 * @param excluding keys with a change on its way, as a subquery
 */
function differences(a: string, b: string, excluding = ''): string {
  const where = excluding ? `WHERE customer_id NOT IN (${excluding})` : '';
  return `WITH a AS (${a}), b AS (${b}), d AS ((TABLE a EXCEPT TABLE b) UNION ALL (TABLE b EXCEPT TABLE a))
    SELECT count(*)::int AS differences, (SELECT count(*)::int FROM a) AS rows FROM d ${where}`;
}

/** Before promotion: the transformed primary and the shadow. */
export const PROVE_BEFORE = differences(
  `SELECT ${AS_NEW} FROM customer`,
  `SELECT ${NEW_COLUMNS} FROM customer_v2`,
  'SELECT k1 FROM crossfade.outbox_customer WHERE k1 IS NOT NULL',
);
/** After promotion, quiet: the promoted table and the twin. */
export const PROVE_PROMOTED = differences(`SELECT ${AS_NEW} FROM customer_twin`, `SELECT ${NEW_COLUMNS} FROM customer`);
/** After promotion, quiet: the promoted table and the old one that is kept for the way back. */
export const PROVE_REVERSE = differences(`SELECT ${AS_NEW} FROM customer_old`, `SELECT ${NEW_COLUMNS} FROM customer`);
/** After the rollback, quiet: the old table, in place again, and the twin. */
export const PROVE_ROLLED_BACK = differences(
  `SELECT ${OLD_COLUMNS} FROM customer_twin`,
  `SELECT ${OLD_COLUMNS} FROM customer`,
);

/** `--fault divergence`: a forgotten job writes wrong values into a tenth of the shadow's rows, again and again. */
export const CORRUPT_A_TENTH =
  "UPDATE customer_v2 SET city = 'Nowhere' WHERE customer_id % 10 = 0 AND city IS DISTINCT FROM 'Nowhere'";
