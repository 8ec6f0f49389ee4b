/// Asks the resource owner to allow or deny a client.
///
/// Deny comes first in reading and tab order and has the size of Allow: nobody allows by pressing on.
struct ConsentPage: Page {
  var clientName: String
  /// What is asked for now, and was not allowed before.
  var asked: [ScopeLine]
  /// What was allowed before and is asked for again.
  var allowedBefore: [ScopeLine] = []
  /// Where the browser goes afterwards, in words.
  var destination: String
  var username: String
  /// The sealed authorization request that is being decided.
  var request: String
  var csrf: String

  static let template = """
    {{<layout}}
    {{$title}}Allow {{page.clientName}}?{{/title}}
    {{$main}}
    <main>
    <h1>Allow {{page.clientName}} to use your account?</h1>
    {{#page.asked}}{{#first()}}<p class="lead">It asks to:</p>
    <ul class="scopes">{{/first()}}
    <li>{{meaning}}{{#scope}}<code>{{scope}}</code>{{/scope}}</li>
    {{#last()}}</ul>{{/last()}}{{/page.asked}}
    {{^page.asked}}<p class="lead">It asks to know who you are, and for nothing else.</p>{{/page.asked}}
    {{#page.allowedBefore}}{{#first()}}<details><summary>What you allowed before</summary>
    <ul class="scopes">{{/first()}}
    <li>{{meaning}}{{#scope}}<code>{{scope}}</code>{{/scope}}</li>
    {{#last()}}</ul></details>{{/last()}}{{/page.allowedBefore}}
    <dl class="facts">
    <div><dt>You are signed in as</dt><dd>{{page.username}}</dd></div>
    <div><dt>You will be sent to</dt><dd>{{page.destination}}</dd></div>
    </dl>
    <form method="post" action="/consent">
    <input type="hidden" name="csrf" value="{{page.csrf}}">
    <input type="hidden" name="request" value="{{page.request}}">
    <div class="choice">
    <button type="submit" name="decision" value="deny">Deny</button>
    <button class="primary" type="submit" name="decision" value="approve">Allow</button>
    </div>
    </form>
    </main>
    <footer>
    <p>You can take this back at any time on <a href="/account">your account page</a>.</p>
    <form method="post" action="/logout">
    <input type="hidden" name="csrf" value="{{page.csrf}}">
    <input type="hidden" name="request" value="{{page.request}}">
    <button class="quiet" type="submit">Not {{page.username}}? Use another account</button>
    </form>
    </footer>
    {{/main}}
    {{/layout}}
    """
}

/// One scope as a person reads it.
struct ScopeLine: Sendable, Equatable {
  /// The configured description; the scope itself when there is none.
  var meaning: String
  /// The scope itself when `meaning` says more.
  var scope: String?
}
