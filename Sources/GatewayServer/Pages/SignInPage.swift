/// Asks for user name and password.
struct SignInPage: Page {
  /// Who the resource owner will go on to; nil: the account page.
  var clientName: String?
  /// Signed in already, but the client wants a fresh proof. Source: OpenID Connect Core §3.1.2.1, `prompt`, `max_age`.
  var isReauthentication = false
  var username = ""
  /// What went wrong, as a sentence; nil at the first showing.
  var problem: String?
  /// Whether what was typed is the problem.
  var isRefused = false
  /// What went well, as a sentence.
  var notice: String?
  /// The sealed authorization request that goes on after signing in.
  var request: String?
  /// The provider whose account is connected after signing in.
  var connect: String?
  /// The sealed way back to the page that is gone on to after signing in.
  var comeBack: String?
  var csrf: String

  /// The field to be filled next gets the focus.
  private let focusesUsername: Bool

  init(
    clientName: String? = nil, isReauthentication: Bool = false, username: String = "", problem: String? = nil,
    isRefused: Bool = false, notice: String? = nil, request: String? = nil, connect: String? = nil,
    csrf: String
  ) {
    self.clientName = clientName
    self.isReauthentication = isReauthentication
    self.username = username
    self.problem = problem
    self.isRefused = isRefused
    self.notice = notice
    self.request = request
    self.connect = connect
    self.csrf = csrf
    focusesUsername = username.isEmpty
  }

  static let template = """
    {{<layout}}
    {{$title}}{{#page.problem}}Sign-in failed{{/page.problem}}{{^page.problem}}Sign in{{/page.problem}}{{/title}}
    {{$main}}
    <main>
    {{#page.isReauthentication}}<h1>Confirm that it is you</h1>{{/page.isReauthentication}}
    {{^page.isReauthentication}}<h1>Sign in</h1>{{/page.isReauthentication}}
    {{#page.clientName}}<p class="lead">to continue to <strong>{{page.clientName}}</strong></p>{{/page.clientName}}
    {{^page.clientName}}{{#page.comeBack}}<p class="lead">to go on to the page you asked for</p>{{/page.comeBack}}{{^page.comeBack}}<p class="lead">to see and manage which apps have access to your account</p>{{/page.comeBack}}{{/page.clientName}}
    {{#page.notice}}<p class="notice good" role="status">{{page.notice}}</p>{{/page.notice}}
    {{#page.problem}}<p class="notice bad" role="alert" id="problem">{{page.problem}}</p>{{/page.problem}}
    <form method="post" action="/login">
    <input type="hidden" name="csrf" value="{{page.csrf}}">
    {{#page.request}}<input type="hidden" name="request" value="{{page.request}}">{{/page.request}}
    {{#page.connect}}<input type="hidden" name="connect" value="{{page.connect}}">{{/page.connect}}
    {{#page.comeBack}}<input type="hidden" name="return" value="{{page.comeBack}}">{{/page.comeBack}}
    <label for="username">User name</label>
    <input type="text" id="username" name="username" value="{{page.username}}" autocomplete="username" autocapitalize="none" autocorrect="off" spellcheck="false" required{{#page.isRefused}} aria-invalid="true"{{/page.isRefused}}{{#page.problem}} aria-describedby="problem"{{/page.problem}}{{#page.focusesUsername}} autofocus{{/page.focusesUsername}}>
    <label for="password">Password</label>
    <input type="password" id="password" name="password" autocomplete="current-password" required{{#page.isRefused}} aria-invalid="true"{{/page.isRefused}}{{#page.problem}} aria-describedby="problem"{{/page.problem}}{{^page.focusesUsername}} autofocus{{/page.focusesUsername}}>
    <p class="submit"><button class="primary" type="submit">Sign in</button></p>
    </form>
    </main>
    <footer><p>Before you type your password, check that the address bar shows <strong>{{site.host}}</strong>.</p></footer>
    {{/main}}
    {{/layout}}
    """
}
