import Yams

extension ReadingContext {
  /// A file of a thousand routes has a tenth of this.
  static let documentBytesMax = 4 * 1024 * 1024

  /// The root of a YAML file; nil when it cannot be read or is no YAML, and told so.
  func document(at path: String) -> YAMLValue? {
    guard let bytes = try? secrets.readFile(path) else {
      faults.add("the file cannot be read; name a readable one with --config", at: nil)
      return nil
    }
    guard bytes.count <= ReadingContext.documentBytesMax else {
      faults.add("the file is larger than \(ReadingContext.documentBytesMax) bytes", at: nil)
      return nil
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      faults.add("the file is not UTF-8", at: nil)
      return nil
    }
    do {
      // The encoding is named because Yams would otherwise ask the environment.
      guard let root = try Parser(yaml: text, resolver: .basic, encoding: .utf8).singleRoot() else {
        faults.add("the file is empty", at: nil)
        return nil
      }
      return YAMLValue(node: root, path: "", context: self)
    } catch {
      addSyntaxFault(error)
      return nil
    }
  }

  private func addSyntaxFault(_ error: any Error) {
    switch error as? YamlError {
    case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
      .composer(_, let problem, let mark, _):
      faults.add("not YAML: \(problem)", at: mark)
    case .duplicatedKeysInMapping(let keys, let context):
      let names = keys.map { "\"\($0)\"" }.joined(separator: ", ")
      faults.add("the key \(names) stands twice in one mapping", at: context.mark)
    case .reader(let problem, _, _, _):
      faults.add("not YAML: \(problem)", at: nil)
    default:
      faults.add("not YAML", at: nil)
    }
  }
}
