import OAuthCore

/// Tells this process that a browser was signed out before the browser hears that it worked: its next request to a route
/// finds the session ended. The other instances hear of it through the change log.
struct AnnouncingSessionStore<Base: SessionStore>: SessionStore {
  let base: Base
  let observer: any ChangeObserver

  func begin(_ session: BrowserSession, replacing old: Locator?) async throws(StoreFailure) {
    try await base.begin(session, replacing: old)
    if let old { observer.apply([.sessionEnded(old)]) }
  }

  func session(_ locator: Locator, at now: Timestamp) async throws(StoreFailure) -> BrowserSession? {
    try await base.session(locator, at: now)
  }

  func end(_ locator: Locator) async throws(StoreFailure) {
    try await base.end(locator)
    observer.apply([.sessionEnded(locator)])
  }
}
