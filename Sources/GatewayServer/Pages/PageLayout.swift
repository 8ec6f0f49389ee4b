/// The frame of every page: head, landmarks, the gate and the host it belongs to. No script, nothing loaded from elsewhere.
enum PageLayout {
  static let name = "layout"

  static let template = """
    <!doctype html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="robots" content="noindex">
    <title>{{$title}}{{/title}} · {{site.host}}</title>
    <link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E%3Cpath fill='%231d5bb8' d='M5 29V15a11 11 0 0 1 22 0v14h-5V15a6 6 0 0 0-12 0v14zM14 29v-9h4v9z'/%3E%3C/svg%3E">
    <style>{{{site.stylesheet}}}</style>
    </head>
    <body>
    <header>
    <svg viewBox="0 0 32 32" aria-hidden="true" focusable="false"><path fill="currentColor" d="M5 29V15a11 11 0 0 1 22 0v14h-5V15a6 6 0 0 0-12 0v14zM14 29v-9h4v9z"/></svg>
    <span>{{site.host}}</span>
    </header>
    {{$main}}{{/main}}
    </body>
    </html>

    """
}
