import OAuthCore

/// When a token that lives for a while is to be replaced, and when it may no longer be sent.
public enum RenewalMargins {
  /// The soft margin is a tenth of the life, within these bounds.
  public static let softMin = Duration.seconds(60)
  public static let softMax = Duration.seconds(15 * 60)
  /// Covers the way to the upstream and clocks that differ a little; a quarter of lives shorter than four of it.
  public static let hard = Duration.seconds(10)
  /// Nothing is believed to live longer: it keeps arithmetic on a provider's number in bounds.
  public static let lifetimeMax = Duration.seconds(366 * 86_400)

  /// - Parameters:
  ///   - lifetime: as the provider said; above zero.
  ///   - jitter: uniform in 0..<1. Takes up to a fifth off the soft margin, so that instances that learned of a token
  ///     together do not renew together.
  /// - Returns: how long before its end the token is renewed, and how long before its end it is no longer sent;
  ///   the first is at most half of the life and larger than the second.
  static func margins(lifetime: Duration, jitter: Double) -> (soft: Duration, hard: Duration) {
    let wanted = min(max(lifetime / 10, softMin), softMax)
    return (min(wanted, lifetime / 2) * (1 - jitter / 5), min(hard, lifetime / 4))
  }
}
