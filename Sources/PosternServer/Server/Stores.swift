import EventLoop
import Logging
import Migrations
import OAuthCore
import PostgresClient
import PostgresStore

/// Every port of the domain that PostgreSQL serves, on the pools of one process.
struct Stores: Sendable {
  let tokens: PostgresTokenStore
  let clients: PostgresClientStore
  let accounts: PostgresAccountStore
  let sessions: PostgresSessionStore
  let consents: PostgresConsentStore
  let signingKeys: PostgresSigningKeyStore
  let connections: PostgresConnectionStore
  let connectFlows: PostgresConnectFlowStore
  let connectTickets: PostgresConnectTicketStore
  let webhooks: PostgresWebhookStore
  let renewals: PostgresRenewalQueue
  let incidents: PostgresProviderIncidentStore
  let sealed: PostgresSealedCredentialStore
  let connectionDirectory: PostgresConnectionDirectory

  init(pools: PoolGroup, logger: Logger) {
    tokens = PostgresTokenStore(pools: pools, logger: logger)
    clients = PostgresClientStore(pools: pools, logger: logger)
    accounts = PostgresAccountStore(pools: pools, logger: logger)
    sessions = PostgresSessionStore(pools: pools, logger: logger)
    consents = PostgresConsentStore(pools: pools, logger: logger)
    signingKeys = PostgresSigningKeyStore(pools: pools, logger: logger)
    connections = PostgresConnectionStore(pools: pools, logger: logger)
    connectFlows = PostgresConnectFlowStore(pools: pools, logger: logger)
    connectTickets = PostgresConnectTicketStore(pools: pools, logger: logger)
    webhooks = PostgresWebhookStore(pools: pools, logger: logger)
    renewals = PostgresRenewalQueue(pools: pools, logger: logger)
    incidents = PostgresProviderIncidentStore(pools: pools, logger: logger)
    sealed = PostgresSealedCredentialStore(pools: pools, logger: logger)
    connectionDirectory = PostgresConnectionDirectory(pools: pools, logger: logger)
  }
}
