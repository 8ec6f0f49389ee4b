-- Connections of users ------------------------------------------------------------------------------------------------

ALTER TABLE connection
  ADD COLUMN reason text, -- of needs_reauth
  ADD COLUMN connected_at timestamptz, -- by the user, the last time; null: never
  ADD CHECK ((state = 'needs_reauth') = (reason IS NOT NULL));

CREATE INDEX connection_of_subject ON connection (subject) WHERE subject IS NOT NULL;

-- A revoked connection keeps its generation, so that nothing sealed for an earlier one opens again, but no credential.
ALTER TABLE connection_credential
  DROP CONSTRAINT connection_credential_check,
  ADD CHECK (generation > 0 OR sealed IS NULL),
  ADD COLUMN attempt_open boolean NOT NULL DEFAULT false; -- a refresh has begun and told no outcome yet

-- Users on the way to a provider and back. Taken out by the statement that finds it; what nobody comes back for goes when
-- another flow begins.
CREATE TABLE connect_flow (
  state_digest bytea PRIMARY KEY, -- SHA-256 of `state`
  provider text NOT NULL,
  subject text NOT NULL,
  session uuid NOT NULL,
  sealed_verifier bytea NOT NULL,
  expires_at timestamptz NOT NULL
);

CREATE INDEX connect_flow_expiry ON connect_flow (expires_at);
CREATE INDEX connect_flow_of_subject ON connect_flow (subject);
