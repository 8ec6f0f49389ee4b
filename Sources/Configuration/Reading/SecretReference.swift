import Cryptography

/// Where secrets come from: the environment and files, passed in so that a test needs neither.
struct SecretSource {
  let environment: [String: String]
  let readFile: (_ path: String) throws -> [UInt8]

  /// Secret files are keys and passwords; a larger one is the wrong file.
  static let fileBytesMax = 64 * 1024
}

/// `${env:NAME}` or `${file:/path}`: the only ways a secret comes into the configuration.
enum SecretReference {
  case environment(String)
  case file(String)

  static func looksLike(_ text: String) -> Bool { text.hasPrefix("${") }

  /// nil when `text` is not exactly one reference.
  init?(_ text: String) {
    guard text.hasPrefix("${"), text.hasSuffix("}") else { return nil }
    let parts = text.dropFirst(2).dropLast().split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, !parts[1].isEmpty, !parts[1].contains(where: { "${}".contains($0) }) else { return nil }
    switch parts[0] {
    case "env": self = .environment(String(parts[1]))
    case "file" where parts[1].hasPrefix("/"): self = .file(String(parts[1]))
    default: return nil
    }
  }
}

extension YAMLValue {
  /// The secret behind a reference. A literal one is a fault, since configuration files are copied, committed and mailed.
  var secret: Secret? {
    guard let scalar else { return nil }
    guard SecretReference.looksLike(scalar) else {
      return fault(
        "\(path): a secret does not stand in the file; write \"${env:NAME}\" or \"${file:/path}\" and put it there")
    }
    return resolved(scalar)
  }

  /// A literal, or the value behind a reference, for what may be secret but need not.
  var secretOrLiteral: (secret: Secret, isLiteral: Bool)? {
    guard let scalar else { return nil }
    guard SecretReference.looksLike(scalar) else { return (Secret(scalar), true) }
    return resolved(scalar).map { ($0, false) }
  }

  private func resolved(_ text: String) -> Secret? {
    guard let reference = SecretReference(text) else {
      return fault("\(path): \"\(text)\" is no reference; write \"${env:NAME}\" or \"${file:/absolute/path}\"")
    }
    switch reference {
    case .environment(let name):
      guard let value = context.secrets.environment[name] else {
        return fault("\(path): the environment variable \(name) is not set")
      }
      guard !value.isEmpty else { return fault("\(path): the environment variable \(name) is empty") }
      return Secret(value)
    case .file(let path):
      guard var bytes = try? context.secrets.readFile(path) else {
        return fault("\(self.path): the file \(path) cannot be read")
      }
      // Editors and `echo` end a file with a line break that nobody means.
      if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
      if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
      guard !bytes.isEmpty else { return fault("\(self.path): the file \(path) is empty") }
      guard bytes.count <= SecretSource.fileBytesMax else {
        return fault("\(self.path): the file \(path) is too large for a secret")
      }
      return Secret(bytes: bytes)
    }
  }
}
