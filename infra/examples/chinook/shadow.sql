-- The new shape of Chinook's customer. Written by the person who migrates, like any other migration;
-- Crossfade fills it and keeps it equal. Lock: none on existing tables but a share lock on employee for the foreign key.
-- Undo: DROP TABLE customer_v2.
CREATE TABLE customer_v2 (
    customer_id BIGINT NOT NULL,
    first_name VARCHAR(40) NOT NULL,
    last_name VARCHAR(20) NOT NULL,
    full_name TEXT GENERATED ALWAYS AS (first_name || ' ' || last_name) STORED,
    company_name VARCHAR(80),
    address VARCHAR(70),
    city VARCHAR(40),
    state VARCHAR(40),
    country VARCHAR(40),
    postal_code TEXT,
    phone VARCHAR(24),
    email TEXT NOT NULL,
    loyalty_tier TEXT NOT NULL DEFAULT 'standard',
    support_rep_id INT,
    CONSTRAINT customer_v2_pkey PRIMARY KEY (customer_id),
    CONSTRAINT customer_v2_support_rep_id_fkey FOREIGN KEY (support_rep_id) REFERENCES employee (employee_id)
);
CREATE INDEX customer_v2_support_rep_id_idx ON customer_v2 (support_rep_id);
