-- Refreshing connections ----------------------------------------------------------------------------------------------

-- `subject IS NOT DISTINCT FROM` would not use the index.
CREATE FUNCTION connection_id(of_provider text, of_subject text) RETURNS uuid STABLE LANGUAGE sql AS $$
  SELECT id FROM connection WHERE provider = of_provider AND subject = of_subject
  UNION ALL
  SELECT id FROM connection WHERE provider = of_provider AND subject IS NULL AND of_subject IS NULL
$$;

-- The last attempts to refresh each connection, written before the provider hears of them. What they leave in doubt about
-- the current generation is summed up in connection_credential.attempt_open, under the lock that a lease takes.
CREATE TABLE refresh_attempt (
  connection uuid NOT NULL REFERENCES connection (id),
  slot smallint NOT NULL, -- lease_epoch modulo 16: the oldest makes room
  lease_epoch bigint NOT NULL,
  generation bigint NOT NULL, -- what was to be replaced
  started_at timestamptz NOT NULL,
  ended_at timestamptz,
  outcome text, -- stored, superseded, failed, unknown, postponed, refused; null: none is known
  PRIMARY KEY (connection, slot)
) WITH (fillfactor = 70);

-- Beside the current credential: the generations before it, and what came too late. Commits forget all but two
-- generations; connecting again and disconnecting forget everything.
CREATE TABLE credential_history (
  connection uuid NOT NULL REFERENCES connection (id),
  generation bigint NOT NULL, -- for which it is sealed
  lease_epoch bigint NOT NULL, -- of the attempt that replaced it, or that brought it too late
  was_presented boolean NOT NULL, -- its refresh token was used for its successor
  sealed bytea NOT NULL,
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (connection, generation, lease_epoch)
);

-- When connections of users are refreshed though nobody asks; those that cannot be refreshed are not here. A table of its
-- own, so that updates of connection_credential touch no index.
CREATE TABLE renewal (
  connection uuid PRIMARY KEY REFERENCES connection (id),
  provider text NOT NULL,
  due_at timestamptz NOT NULL, -- moved on by whoever takes it up
  renewed_at timestamptz NOT NULL
);

CREATE INDEX renewal_due ON renewal (provider, due_at);

INSERT INTO renewal (connection, provider, due_at, renewed_at)
SELECT id, provider, expires_at, now() FROM connection JOIN connection_credential ON connection = id
WHERE subject IS NOT NULL AND state = 'active' AND expires_at IS NOT NULL;

ALTER TABLE connection ADD COLUMN last_used_at timestamptz; -- by a route or a command, to within minutes

-- Providers that refuse Postern itself. One row says what would otherwise be told of each of their connections.
CREATE TABLE provider_incident (
  provider text PRIMARY KEY,
  reason text NOT NULL,
  since timestamptz NOT NULL,
  closed_until timestamptz NOT NULL -- nobody asks before
);
