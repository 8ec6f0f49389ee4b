import OAuthCore

/// The whole program, for an executable of one line or one with grants of its own.
public enum Postern {
  /// Runs the command line of this process and exits.
  ///
  /// - Parameter grants: plugged in beside the built-in ones, under the same rules. A grant type that is registered
  ///   twice, or a reserved one, stops the process at start.
  public static func main(grants: [any GrantHandler] = []) async {
    await PosternCommand.$pluggedInGrants.withValue(grants) {
      await PosternCommand.main()
    }
  }
}
