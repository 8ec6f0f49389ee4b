-- Connect tickets -----------------------------------------------------------------------------------------------------

-- What was granted, in the provider's words; null: not known.
ALTER TABLE connection ADD COLUMN scopes text[];

-- Begun by a ticket: it belongs to the browser session that followed it, whoever is signed in there.
ALTER TABLE connect_flow ADD COLUMN is_ticketed boolean NOT NULL DEFAULT false;

-- Leave for one browser to connect an account of one subject, given to an application's backend. Taken out by the statement
-- that uses it; what nobody uses goes when another ticket is issued.
CREATE TABLE connect_ticket (
  locator uuid PRIMARY KEY,
  secret_hash bytea NOT NULL,
  client text NOT NULL, -- who asked for it
  subject text NOT NULL,
  provider text NOT NULL,
  scopes text[] NOT NULL,
  return_to text, -- null: nowhere; Postern says that it is done
  expires_at timestamptz NOT NULL
);

CREATE INDEX connect_ticket_expiry ON connect_ticket (expires_at);
