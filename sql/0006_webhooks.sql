-- Webhooks ------------------------------------------------------------------------------------------------------------

-- Who wants to hear of what, as the configuration has it. Without a row here nothing is written below.
CREATE TABLE webhook_subscription (
  endpoint text NOT NULL,
  event text NOT NULL,
  PRIMARY KEY (endpoint, event)
);

-- The outbox, and the log of what became of it. Written by the transaction that changes what is told.
CREATE TABLE webhook_delivery (
  id uuid PRIMARY KEY,
  event uuid NOT NULL, -- the same for every endpoint and every try
  endpoint text NOT NULL,
  type text NOT NULL,
  payload text NOT NULL, -- the bytes that are signed and sent
  created_at timestamptz NOT NULL,
  attempt_count integer NOT NULL DEFAULT 0,
  due_at timestamptz NOT NULL, -- moved on by whoever takes it up
  ended_at timestamptz, -- delivered or given up
  is_delivered boolean NOT NULL DEFAULT false,
  last_result text -- of the last try: a status, or why there is none
);

CREATE INDEX webhook_delivery_due ON webhook_delivery (due_at) WHERE ended_at IS NULL;
CREATE INDEX webhook_delivery_age ON webhook_delivery (created_at);

CREATE FUNCTION announce_event(of_type text, data jsonb) RETURNS void LANGUAGE sql AS $$
  INSERT INTO webhook_delivery (id, event, endpoint, type, payload, created_at, due_at)
  SELECT gen_random_uuid(), once.event, endpoint, of_type,
    jsonb_build_object(
      'type', of_type, 'timestamp', to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
      'data', jsonb_strip_nulls(data))::text,
    moment, moment
  FROM (SELECT gen_random_uuid() AS event, clock_timestamp() AS moment OFFSET 0) AS once, webhook_subscription AS wanted
  WHERE wanted.event = of_type
$$;

CREATE FUNCTION announce_connection() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  type text := CASE
    WHEN NEW.state = 'active' AND OLD.state = 'needs_reauth' THEN 'connection.recovered'
    WHEN NEW.state = 'active' THEN 'connection.created'
    WHEN NEW.state = 'needs_reauth' THEN 'connection.needs_reauth'
    WHEN NEW.state = 'revoked' AND OLD.state <> 'pending' THEN 'connection.revoked'
  END;
BEGIN
  IF type IS NOT NULL THEN
    PERFORM announce_event(type, jsonb_build_object(
      'connection_id', NEW.id, 'provider', NEW.provider, 'subject', NEW.subject, 'scopes', NEW.scopes, 'reason', NEW.reason));
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER announce_connection AFTER UPDATE OF state ON connection FOR EACH ROW
  WHEN (OLD.state IS DISTINCT FROM NEW.state AND NEW.subject IS NOT NULL) EXECUTE FUNCTION announce_connection();

CREATE FUNCTION announce_incident() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM announce_event('provider.incident', jsonb_build_object('provider', NEW.provider, 'reason', NEW.reason));
  RETURN NULL;
END $$;

-- A prolonged incident is an update, and told once.
CREATE TRIGGER announce_incident AFTER INSERT ON provider_incident FOR EACH ROW EXECUTE FUNCTION announce_incident();
