-- Master keys ---------------------------------------------------------------------------------------------------------

-- One value sealed under each master key that ever was in the ring of a server: a key that is missing or has another
-- secret is told from a row that was damaged.
CREATE TABLE key_check (
  key_id text PRIMARY KEY,
  sealed bytea -- null: the key was in use before this table was
);

INSERT INTO key_check (key_id)
SELECT encode(substring(sealed FROM 2 FOR get_byte(sealed, 0)), 'escape') FROM (
  SELECT sealed FROM connection_credential UNION ALL SELECT sealed FROM credential_history
) AS kept WHERE octet_length(sealed) > 0
ON CONFLICT (key_id) DO NOTHING;
