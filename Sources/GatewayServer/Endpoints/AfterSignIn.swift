import Broker
import OAuthCore

/// Where a browser goes on to after signing in without an authorization request. No form names an address: what a form
/// carries is a provider's name, or what this server has sealed.
enum AfterSignIn {
  case account
  case connect(ProviderID)
  /// - Parameter sealed: as `ReturnPaths` made it; it goes round with the form.
  case comeBack(target: String, sealed: String)

  /// A path of Postern's own, or of the route that asked for the sign-in.
  var address: String {
    switch self {
    case .account: "/account"
    case .connect(let provider): "/connect/\(provider)"
    case .comeBack(let target, _): target
    }
  }

  /// What the sign-in page carries along.
  func prepare(_ page: inout SignInPage) {
    switch self {
    case .account: break
    case .connect(let provider):
      page.clientName = provider.rawValue
      page.connect = provider.rawValue
    case .comeBack(_, let sealed): page.comeBack = sealed
    }
  }

  /// Whether it may lead to another site: to a provider, or wherever the page that is come back to sends its visitors.
  var leadsElsewhere: Bool { if case .account = self { false } else { true } }
}

extension AfterSignIn {
  /// - Throws: `malformed` for what is no provider's name. A way back that is too old, or not of this server, leads to the
  ///   account page.
  init(_ form: Form, _ returnPaths: ReturnPaths, at now: Timestamp) throws(PageRefusal) {
    if let name = form["connect"] {
      guard ProviderID.isWellFormed(name) else { throw .malformed }
      self = .connect(ProviderID(name))
    } else if let sealed = form["return"], let target = returnPaths.open(sealed, at: now) {
      self = .comeBack(target: target, sealed: sealed)
    } else {
      self = .account
    }
  }
}
