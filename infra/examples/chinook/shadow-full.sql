-- New shapes of seven more Chinook tables; shadow.sql has customer's. Some have their foreign keys, to tables in use, to another
-- shadow, or to themselves: they are set aside while rows are mirrored. Where one is left out, promotion makes it from the primary's.
-- Lock: SHARE ROW EXCLUSIVE on referenced tables, milliseconds. Undo: DROP TABLE artist_v2, album_v2, track_v2, invoice_v2, invoice_line_v2, employee_v2,
-- playlist_track_v2.
CREATE TABLE artist_v2 (
    artist_id BIGINT PRIMARY KEY,
    name TEXT,
    sort_name TEXT GENERATED ALWAYS AS (lower(name)) STORED
);
CREATE TABLE album_v2 (
    album_id BIGINT PRIMARY KEY,
    artist_id BIGINT NOT NULL CONSTRAINT album_v2_artist_id_fkey REFERENCES artist,
    title TEXT NOT NULL,
    released DATE
);
CREATE INDEX album_v2_artist_id_idx ON album_v2 (artist_id);
CREATE TABLE track_v2 (
    track_id BIGINT PRIMARY KEY,
    name TEXT NOT NULL,
    album_id BIGINT CONSTRAINT track_v2_album_id_fkey REFERENCES album,
    media_type_id INT NOT NULL CONSTRAINT track_v2_media_type_id_fkey REFERENCES media_type,
    genre_id INT,
    composer TEXT,
    milliseconds INT NOT NULL CONSTRAINT track_v2_milliseconds_check CHECK (milliseconds > 0),
    seconds NUMERIC GENERATED ALWAYS AS (milliseconds / 1000.0) STORED,
    bytes BIGINT,
    unit_price NUMERIC(12,2) NOT NULL
);
CREATE INDEX track_v2_album_id_idx ON track_v2 (album_id);
CREATE INDEX track_v2_genre_id_idx ON track_v2 (genre_id);
CREATE INDEX track_v2_media_type_id_idx ON track_v2 (media_type_id);
CREATE TABLE invoice_v2 (
    invoice_id BIGINT PRIMARY KEY,
    customer_id BIGINT NOT NULL CONSTRAINT invoice_v2_customer_id_fkey REFERENCES customer,
    invoice_date TIMESTAMP NOT NULL,
    billing_address VARCHAR(70),
    billing_city VARCHAR(40),
    billing_state VARCHAR(40),
    billing_country VARCHAR(40),
    billing_postal_code TEXT,
    total NUMERIC(12,2) NOT NULL,
    currency TEXT NOT NULL DEFAULT 'USD'
);
CREATE INDEX invoice_v2_customer_id_idx ON invoice_v2 (customer_id);
CREATE TABLE invoice_line_v2 (
    invoice_line_id BIGINT PRIMARY KEY,
    invoice_id BIGINT NOT NULL CONSTRAINT invoice_line_v2_invoice_id_fkey REFERENCES invoice_v2,
    track_id BIGINT NOT NULL CONSTRAINT invoice_line_v2_track_id_fkey REFERENCES track,
    unit_price NUMERIC(12,2) NOT NULL,
    quantity INT NOT NULL,
    amount NUMERIC GENERATED ALWAYS AS (unit_price * quantity) STORED
);
CREATE INDEX invoice_line_v2_invoice_id_idx ON invoice_line_v2 (invoice_id);
CREATE INDEX invoice_line_v2_track_id_idx ON invoice_line_v2 (track_id);
CREATE TABLE employee_v2 (
    employee_id BIGINT PRIMARY KEY,
    first_name VARCHAR(20) NOT NULL,
    last_name VARCHAR(20) NOT NULL,
    title VARCHAR(30),
    reports_to BIGINT CONSTRAINT employee_v2_reports_to_fkey REFERENCES employee_v2,
    birth_date DATE,
    hire_date DATE,
    address VARCHAR(70),
    city VARCHAR(40),
    state VARCHAR(40),
    country VARCHAR(40),
    postal_code VARCHAR(10),
    phone VARCHAR(24),
    email TEXT,
    active BOOLEAN NOT NULL DEFAULT true
);
CREATE INDEX employee_v2_reports_to_idx ON employee_v2 (reports_to);
CREATE TABLE playlist_track_v2 (
    track_id BIGINT NOT NULL CONSTRAINT playlist_track_v2_track_id_fkey REFERENCES track,
    playlist_id BIGINT NOT NULL,
    added_at DATE,
    CONSTRAINT playlist_track_v2_pkey PRIMARY KEY (playlist_id, track_id)
);
CREATE INDEX playlist_track_v2_track_id_idx ON playlist_track_v2 (track_id);
