/// Asks whoever follows a connect ticket whether they are the person it was made for.
///
/// Without it, a person could be sent somebody else's ticket, and would hand over their own account.
struct ConnectPage: Page {
  var provider: String
  /// The application that asked for the ticket.
  var clientName: String
  /// Whom the connection will belong to, as the application calls them.
  var subject: String
  /// What the provider will be asked for, in its own words.
  var scopes: [String]
  /// Whoever holds it may go on, once.
  var ticket: String
  var csrf: String

  static let template = """
    {{<layout}}
    {{$title}}Connect {{page.provider}}?{{/title}}
    {{$main}}
    <main>
    <h1>Connect your {{page.provider}} account?</h1>
    <p class="lead"><strong>{{page.clientName}}</strong> asks to use it for you.</p>
    {{#page.scopes}}{{#first()}}<p>{{page.provider}} will be asked for:</p>
    <ul class="scopes">{{/first()}}
    <li>{{.}}</li>
    {{#last()}}</ul>{{/last()}}{{/page.scopes}}
    <dl class="facts">
    <div><dt>It will be connected to</dt><dd>{{page.subject}}</dd></div>
    <div><dt>At</dt><dd>{{page.clientName}}</dd></div>
    </dl>
    <form method="post" action="/connect/{{page.provider}}">
    <input type="hidden" name="csrf" value="{{page.csrf}}">
    <input type="hidden" name="ticket" value="{{page.ticket}}">
    <p class="submit"><button class="primary" type="submit">Go on to {{page.provider}}</button></p>
    </form>
    </main>
    <footer><p>Go on only if you have just asked for this yourself, and {{page.subject}} is you.
    Otherwise close this page: nothing happens.</p></footer>
    {{/main}}
    {{/layout}}
    """
}
