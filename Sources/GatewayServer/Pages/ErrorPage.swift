/// Says what happened and what to do. Never sends the browser anywhere.
struct ErrorPage: Page {
  /// What happened, in a few words.
  var heading: String
  /// What happened, as a sentence or two. May hold text of the request; it is escaped.
  var explanation: String
  /// What to do now.
  var advice: String
  /// Where to go on: a configured address, never one out of the request.
  var next: Link?
  /// Finds the request in the log.
  var requestID: String?

  struct Link: Sendable {
    var words: String
    var address: String
  }

  static let template = """
    {{<layout}}
    {{$title}}{{page.heading}}{{/title}}
    {{$main}}
    <main>
    <h1>{{page.heading}}</h1>
    <p>{{page.explanation}}</p>
    <p class="muted">{{page.advice}}</p>
    {{#page.next}}<p><a href="{{address}}" rel="noreferrer">{{words}}</a></p>{{/page.next}}
    {{#page.requestID}}<p class="muted small">If you ask for help, name this request:
    <code>{{page.requestID}}</code></p>{{/page.requestID}}
    </main>
    {{/main}}
    {{/layout}}
    """
}
