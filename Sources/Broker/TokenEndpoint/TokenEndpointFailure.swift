/// Why a token endpoint gave no token. Holds nothing that came from the provider verbatim, so it may be logged.
public enum TokenEndpointFailure: Error, Sendable, Hashable {
  /// Trying again later may help; an old token stays good meanwhile.
  ///
  /// - Parameter retryAfter: as the provider asked, if it did.
  case transient(Cause, retryAfter: Duration?)
  /// The provider understood and says no.
  case refused(ProviderRefusal)

  public enum Cause: Sendable, Hashable {
    case transport(TransportFailure)
    /// The issuer's metadata, which says where the token endpoint is, cannot be had.
    case undiscovered
    /// A status that says "later", or a redirect, which is not followed.
    case status(Int)
    /// An error page of something in front of the token endpoint.
    case html(status: Int)
    /// A success without `access_token`, or one whose members have impossible values.
    case malformed
    /// `temporarily_unavailable`, `server_error` or `slow_down`.
    case announced
  }
}
