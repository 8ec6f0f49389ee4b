import Yams

/// One fault of the configuration file, where it stands and what to do.
public struct ConfigurationError: Error, Sendable, Equatable, CustomStringConvertible {
  public let file: String
  /// From 1; nil when the fault is not at one place, such as a file that cannot be read.
  public let line: Int?
  /// From 1, in Unicode scalars.
  public let column: Int?
  /// A sentence without the value of any secret.
  public let message: String

  /// `file:line:column: message`, which editors and terminals turn into a link.
  public var description: String {
    guard let line, let column else { return "\(file): \(message)" }
    return "\(file):\(line):\(column): \(message)"
  }
}

/// All faults found, in the order of the file.
public struct ConfigurationErrors: Error, Sendable, Equatable, CustomStringConvertible {
  public let errors: [ConfigurationError]

  /// One line per fault.
  public var description: String { errors.map(\.description).joined(separator: "\n") }
}

/// Gathers faults while a file is read, so that all of them are told at once.
final class FaultList {
  let file: String
  private var errors: [ConfigurationError] = []

  init(file: String) { self.file = file }

  func add(_ message: String, at mark: Mark?) {
    let error = ConfigurationError(file: file, line: mark?.line, column: mark?.column, message: message)
    if !errors.contains(error) { errors.append(error) }
  }

  /// In the order of the file; nil when there are none.
  var all: ConfigurationErrors? {
    if errors.isEmpty { return nil }
    let sorted = errors.enumerated().sorted { left, right in
      (left.element.line ?? 0, left.element.column ?? 0, left.offset)
        < (right.element.line ?? 0, right.element.column ?? 0, right.offset)
    }
    return ConfigurationErrors(errors: sorted.map(\.element))
  }
}
