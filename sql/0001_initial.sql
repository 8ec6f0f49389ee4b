-- The schema of Postern. PostgreSQL 15 or newer.
--
-- Moments are compared with what the caller passes, never with the server's clock: one clock decides.
-- Of every secret only a digest is kept, of every upstream credential and private key only a sealed form.
--
-- Tables of things that expire are partitioned by time, with one B-tree (grant_family: a second, for withdrawn
-- consents) and no foreign keys: expiry drops a whole partition. Their dated partitions are made ahead by `Maintenance`
-- of the module PostgresStore. Each has a default partition, so that no insert ever fails for want of a partition;
-- maintenance moves what strays into it.
-- A UUIDv7 begins with its time and PostgreSQL compares UUIDs bytewise:
-- partitioned by locator is partitioned by time of creation.

-- Clients and accounts. Those of the configuration file are not here. -------------------------------------------------

CREATE TABLE client (
  id text PRIMARY KEY,
  name text NOT NULL,
  authentication text NOT NULL,
  grants text[] NOT NULL,
  redirect_uris text[] NOT NULL,
  scopes text[] NOT NULL,
  audiences text[] NOT NULL,
  access_token_format text,
  access_token_lifetime bigint CHECK (access_token_lifetime > 0), -- microseconds
  is_disabled boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL
);

-- Several live secrets at once: a rotation without an outage.
CREATE TABLE client_secret (
  client text NOT NULL REFERENCES client (id),
  verifier text NOT NULL, -- 'sha256:' and 64 hexadecimal digits, or a PHC string
  created_at timestamptz NOT NULL,
  expires_at timestamptz, -- null: until it is withdrawn
  PRIMARY KEY (client, verifier)
);

CREATE TABLE account (
  subject text PRIMARY KEY,
  username text NOT NULL UNIQUE,
  password_hash text NOT NULL, -- a PHC string
  is_disabled boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL
);

CREATE TABLE consent (
  subject text NOT NULL,
  client text NOT NULL,
  scope text[] NOT NULL,
  granted_at timestamptz NOT NULL,
  PRIMARY KEY (subject, client)
);

CREATE TABLE session (
  locator uuid PRIMARY KEY,
  secret_hash bytea NOT NULL,
  subject text, -- null: nobody has signed in yet
  authenticated_at timestamptz,
  expires_at timestamptz NOT NULL
) PARTITION BY RANGE (locator);

-- Tokens --------------------------------------------------------------------------------------------------------------

-- One row per grant family, moved on by each refresh. The columns that change are in no index, so each move is a
-- heap-only update; partitions have room for it (fillfactor).
CREATE TABLE grant_family (
  locator uuid PRIMARY KEY,
  client text NOT NULL,
  subject text NOT NULL,
  scope text[] NOT NULL,
  audience text[] NOT NULL,
  authenticated_at timestamptz,
  claims json, -- null: none
  refresh_hash bytea, -- of the current generation; null: no refresh token was issued
  previous_hash bytea, -- of the generation before, honoured for a grace period
  rotated_at timestamptz, -- when the current generation replaced the previous one
  idle_expires_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  revoked_at timestamptz,
  revocation_reason text
) PARTITION BY RANGE (locator);

CREATE INDEX grant_family_subject_client ON grant_family (subject, client);

-- Opaque access tokens. Rows are inserted and read, never updated: what ends one early stands in revoked_token or
-- grant_family.
CREATE TABLE access_token (
  locator uuid PRIMARY KEY,
  secret_hash bytea NOT NULL,
  family uuid,
  client text NOT NULL,
  subject text NOT NULL,
  scope text[] NOT NULL,
  audience text[] NOT NULL,
  authenticated_at timestamptz,
  claims json,
  expires_at timestamptz NOT NULL
) PARTITION BY RANGE (locator);

-- Access tokens ended one by one, opaque ones and JWTs alike.
CREATE TABLE revoked_token (
  locator uuid PRIMARY KEY,
  expires_at timestamptz NOT NULL,
  revoked_at timestamptz NOT NULL
) PARTITION BY RANGE (locator);

-- One-time artefacts that were used. A unique key of a partitioned table must hold the partition key; uniqueness of
-- (kind, id) follows because expires_at belongs to the artefact: it is sealed or signed into it, so whoever presents
-- the artefact again presents the same expiry.
CREATE TABLE once (
  expires_at timestamptz NOT NULL,
  kind text NOT NULL,
  id bytea NOT NULL CHECK (octet_length(id) <= 64),
  PRIMARY KEY (expires_at, kind, id)
) PARTITION BY RANGE (expires_at);

-- Undoes an issuing statement that won some of its artefacts and lost others, so that none stays consumed.
CREATE FUNCTION refuse_partial_use() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'some of the artefacts had been used' USING ERRCODE = 'PN001';
END $$;

CREATE TABLE signing_key (
  key_id text PRIMARY KEY,
  algorithm text NOT NULL,
  sealed_private_key bytea NOT NULL,
  created_at timestamptz NOT NULL
);

-- Upstream credentials ------------------------------------------------------------------------------------------------

CREATE TABLE connection (
  id uuid PRIMARY KEY,
  provider text NOT NULL,
  subject text, -- null: the service's own
  state text NOT NULL CHECK (state IN ('pending', 'active', 'needs_reauth', 'revoked')),
  created_at timestamptz NOT NULL,
  UNIQUE NULLS NOT DISTINCT (provider, subject)
);

-- The one live credential of a connection, replaced by compare-and-set on generation and lease epoch. Leases are
-- measured on the server's clock, the one clock that all instances share.
CREATE TABLE connection_credential (
  connection uuid PRIMARY KEY REFERENCES connection (id),
  generation bigint NOT NULL, -- 0: none was committed yet
  sealed bytea,
  expires_at timestamptz,
  lease_epoch bigint NOT NULL,
  lease_until timestamptz, -- null or past: nobody is renewing it
  CHECK ((generation = 0) = (sealed IS NULL))
) WITH (fillfactor = 70);

-- What every instance must stop believing -----------------------------------------------------------------------------

-- Numbers are handed out before commit, so a row can become visible after one with a higher number. A reader therefore
-- goes by transaction: it asks for the rows whose transaction its last snapshot did not see.
CREATE SEQUENCE change_log_number;

CREATE TABLE change_log (
  transaction xid8 NOT NULL DEFAULT pg_current_xact_id(),
  number bigint NOT NULL DEFAULT nextval('change_log_number'),
  created_at timestamptz NOT NULL DEFAULT now(),
  kind text NOT NULL,
  key text NOT NULL,
  PRIMARY KEY (transaction, number, created_at)
) PARTITION BY RANGE (created_at);

-- Whoever appends wakes the listeners at commit; the notification is empty, the log says what changed.
CREATE FUNCTION announce_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM appended) THEN PERFORM pg_notify('postern_change', ''); END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER announce_change AFTER INSERT ON change_log
  REFERENCING NEW TABLE AS appended FOR EACH STATEMENT EXECUTE FUNCTION announce_change();

-- Default partitions --------------------------------------------------------------------------------------------------

CREATE TABLE session_default PARTITION OF session DEFAULT;
CREATE TABLE grant_family_default PARTITION OF grant_family DEFAULT WITH (fillfactor = 70);
CREATE TABLE access_token_default PARTITION OF access_token DEFAULT;
CREATE TABLE revoked_token_default PARTITION OF revoked_token DEFAULT;
CREATE TABLE once_default PARTITION OF once DEFAULT;
CREATE TABLE change_log_default PARTITION OF change_log DEFAULT;

-- Partitions come and go ----------------------------------------------------------------------------------------------

-- Each of these is one transaction of its own (`Maintenance`), under a lock timeout. Locks are taken parent first, as
-- every statement takes them, so that none of them can end in a deadlock.

-- The bound of a partition at a Unix time in seconds, as a literal: a moment, or the smallest UUIDv7 of that moment.
CREATE FUNCTION partition_bound(key_type regtype, seconds bigint) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT CASE key_type
    WHEN 'uuid'::regtype THEN rpad(lpad(to_hex(seconds * 1000), 12, '0'), 32, '0')::uuid::text
    WHEN 'timestamptz'::regtype THEN to_timestamp(seconds)::text
  END
$$;

-- Makes the partition of a span of time, moving into it what had strayed into the default partition. The table is made
-- beside and attached when it is full, since CREATE TABLE ... PARTITION OF would lock out readers of the parent.
CREATE FUNCTION create_partition(
  parent text, key_column text, from_seconds bigint, until_seconds bigint, fillfactor integer)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  partition text := format('%s_%s_%s', parent, from_seconds, until_seconds);
  stray text := parent || '_default';
  key_type regtype;
  lower_bound text;
  upper_bound text;
BEGIN
  SELECT atttypid INTO STRICT key_type FROM pg_attribute WHERE attrelid = parent::regclass AND attname = key_column;
  lower_bound := partition_bound(key_type, from_seconds);
  upper_bound := partition_bound(key_type, until_seconds);
  EXECUTE format('LOCK TABLE ONLY %I IN SHARE UPDATE EXCLUSIVE MODE', parent);
  EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', stray);
  EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL) WITH (fillfactor = %s)', partition, parent, fillfactor);
  EXECUTE format(
    'WITH moved AS (DELETE FROM %1$I WHERE %2$I >= %3$L AND %2$I < %4$L RETURNING *) INSERT INTO %5$I SELECT * FROM moved',
    stray, key_column, lower_bound, upper_bound, partition);
  EXECUTE format(
    'ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, partition, lower_bound, upper_bound);
END $$;

CREATE FUNCTION drop_partition(parent text, from_seconds bigint, until_seconds bigint)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('LOCK TABLE ONLY %I IN ACCESS EXCLUSIVE MODE', parent);
  EXECUTE format('DROP TABLE %I', format('%s_%s_%s', parent, from_seconds, until_seconds));
END $$;

-- Empties the default partition once all that strayed into it is past use. Returns whether it did.
CREATE FUNCTION empty_default_partition(parent text, expiry_column text, cutoff timestamptz)
RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  stray text := parent || '_default';
  has_rows boolean;
  has_live_rows boolean;
BEGIN
  EXECUTE format('SELECT EXISTS (SELECT FROM %I)', stray) INTO has_rows;
  IF NOT has_rows THEN RETURN false; END IF;
  EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', stray);
  EXECUTE format('SELECT EXISTS (SELECT FROM %I WHERE %I >= $1)', stray, expiry_column) INTO has_live_rows USING cutoff;
  IF has_live_rows THEN RETURN false; END IF;
  EXECUTE format('TRUNCATE %I', stray);
  RETURN true;
END $$;
