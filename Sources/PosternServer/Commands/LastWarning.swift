import Logging
import Synchronization

/// Keeps the last warning or error that was logged, for the one sentence with which a command ends.
final class LastWarning: Sendable {
  private let kept = Mutex<String?>(nil)

  var text: String? { kept.withLock { $0 } }
  var handler: any LogHandler { Handler(note: self) }

  private struct Handler: LogHandler {
    let note: LastWarning
    var logLevel = Logger.Level.warning
    var metadata: Logger.Metadata = [:]

    init(note: LastWarning) { self.note = note }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { note.kept.withLock { $0 = event.message.description } }
  }
}
