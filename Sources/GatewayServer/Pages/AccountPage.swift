import Broker

/// Who is signed in, which clients they have allowed what, and which accounts elsewhere they have connected.
struct AccountPage: Page {
  struct App: Sendable {
    var clientID: String
    var name: String
    var scopes: [ScopeLine]
    var since: CalendarDay
  }

  struct Connection: Sendable {
    var provider: String
    /// In words; nil: not connected.
    var state: String?
    var since: CalendarDay?
    /// The words of the link that connects it; nil: there is no need, or no way.
    var connect: String?
    /// Granted, in the provider's words.
    var scopes: [String] = []
    /// When something used it last.
    var used: CalendarDay?

    init(provider: String, connect: String) {
      self.provider = provider
      self.connect = connect
    }

    init(_ summary: ConnectionSummary, canConnect: Bool) {
      provider = summary.provider.rawValue
      since = CalendarDay(summary.connectedAt)
      scopes = summary.scopes
      used = summary.usedAt.map { CalendarDay($0) }
      if summary.state == .active {
        state = "Connected since"
      } else {
        state = "Must be connected again; last connected on"
        connect = canConnect ? "Connect again" : nil
      }
    }
  }

  var username: String
  var apps: [App]
  var connections: [Connection] = []
  /// What went well, as a sentence.
  var notice: String?
  var csrf: String

  static let template = """
    {{<layout}}
    {{$title}}Your account{{/title}}
    {{$main}}
    <main class="wide">
    <h1>Your account</h1>
    <div class="row">
    <p class="lead">Signed in as <strong>{{page.username}}</strong></p>
    <form method="post" action="/logout">
    <input type="hidden" name="csrf" value="{{page.csrf}}">
    <button class="quiet" type="submit">Sign out</button>
    </form>
    </div>
    {{#page.notice}}<p class="notice good" role="status">{{page.notice}}</p>{{/page.notice}}
    <h2>Apps with access to your account</h2>
    {{^page.apps}}<p class="muted">None. Apps that you allow will be listed here.</p>{{/page.apps}}
    {{#page.apps}}{{#first()}}<ul class="apps">{{/first()}}
    <li>
    <h3>{{name}}</h3>
    <p class="muted small">Allowed since <time datetime="{{since.machine}}">{{since.words}}</time></p>
    {{#scopes}}{{#first()}}<ul class="scopes">{{/first()}}
    <li>{{meaning}}{{#scope}}<code>{{scope}}</code>{{/scope}}</li>
    {{#last()}}</ul>{{/last()}}{{/scopes}}
    {{^scopes}}<p>Knows who you are, and nothing else.</p>{{/scopes}}
    <form method="post" action="/account">
    <input type="hidden" name="csrf" value="{{page.csrf}}">
    <input type="hidden" name="client_id" value="{{clientID}}">
    <button class="danger" type="submit" aria-label="Remove access of {{name}}">Remove access</button>
    </form>
    </li>
    {{#last()}}</ul>{{/last()}}{{/page.apps}}
    {{#page.connections}}{{#first()}}<h2>Your accounts elsewhere</h2>
    <ul class="apps">{{/first()}}
    <li>
    <h3>{{provider}}</h3>
    {{#state}}<p class="muted small">{{state}} <time datetime="{{since.machine}}">{{since.words}}</time></p>{{/state}}
    {{#state}}<p class="muted small">{{#used}}Last used on <time datetime="{{machine}}">{{words}}</time>{{/used}}{{^used}}Not used yet{{/used}}</p>
    {{#scopes}}{{#first()}}<ul class="scopes">{{/first()}}
    <li>{{.}}</li>
    {{#last()}}</ul>{{/last()}}{{/scopes}}{{/state}}
    {{^state}}<p class="muted small">Not connected</p>{{/state}}
    {{#connect}}<p><a href="/connect/{{provider}}">{{connect}}</a></p>{{/connect}}
    {{#state}}<form method="post" action="/account/disconnect">
    <input type="hidden" name="csrf" value="{{page.csrf}}">
    <input type="hidden" name="provider" value="{{provider}}">
    <button class="danger" type="submit" aria-label="Disconnect {{provider}}">Disconnect</button>
    </form>{{/state}}
    </li>
    {{#last()}}</ul>{{/last()}}{{/page.connections}}
    </main>
    <footer><p>Removing access ends the app’s tokens at once. The app can ask you again.</p></footer>
    {{/main}}
    {{/layout}}
    """
}
