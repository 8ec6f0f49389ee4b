import Yams

/// A mapping whose keys the format defines. Every key is asked for once, present or not; what was never asked for is
/// unknown, and a fault.
final class Section {
  let value: YAMLValue
  private let mapping: Node.Mapping
  private var knownKeys: [String] = []
  /// Stands for members that are absent, such as those of a preset.
  var fallback: Node.Mapping?

  fileprivate init(value: YAMLValue, mapping: Node.Mapping) {
    self.value = value
    self.mapping = mapping
  }

  /// The member, or nil when it is absent.
  func member(_ key: String) -> YAMLValue? {
    knownKeys.append(key)
    return own(key) ?? fallback?.first { $0.key.scalar?.string == key }.map { value(of: key, $0.value) }
  }

  /// The member as this mapping itself has it.
  func own(_ key: String) -> YAMLValue? {
    mapping.first { $0.key.scalar?.string == key }.map { value(of: key, $0.value) }
  }

  private func value(of key: String, _ node: Node) -> YAMLValue {
    YAMLValue(node: node, path: value.path.isEmpty ? key : "\(value.path).\(key)", context: value.context)
  }

  /// nil: absent, or faulty.
  @discardableResult
  func optional<Value>(_ key: String, _ read: (YAMLValue) -> Value?) -> Value? {
    member(key).flatMap(read)
  }

  /// The default when absent; nil only when faulty.
  func optional<Value>(_ key: String, default fallback: Value, _ read: (YAMLValue) -> Value?) -> Value? {
    guard let member = member(key) else { return fallback }
    return read(member)
  }

  /// Replaces a default by the member, when it is there and sound.
  func replace<Value>(_ target: inout Value, _ key: String, _ read: (YAMLValue) -> Value?) {
    if let value = member(key).flatMap(read) { target = value }
  }

  /// Reads a mapping inside this one, when it is there.
  func nested(_ key: String, _ read: (Section) -> Void) {
    _ = member(key)?.section { section -> Void? in read(section) }
  }

  /// nil: absent or faulty, and told so.
  func required<Value>(_ key: String, _ hint: String = "", _ read: (YAMLValue) -> Value?) -> Value? {
    guard let member = member(key) else {
      let place = value.path.isEmpty ? "" : "\(value.path): "
      value.fault("\(place)\"\(key)\" is missing\(hint.isEmpty ? "" : "; \(hint)")")
      return nil
    }
    return read(member)
  }

  /// Keys of the format that this version does not serve. Present, they are faults: a setting that does nothing is worse
  /// than an error.
  func unavailable(_ keys: String...) {
    for key in keys { member(key)?.fault("\(key) is not available in this version") }
  }

  func fault(_ message: String) { value.fault(message) }

  fileprivate func faultUnknownKeys() {
    for (key, _) in mapping {
      let keyValue = YAMLValue(node: key, path: value.path, context: value.context)
      guard let name = key.scalar?.string else {
        keyValue.fault("a key must be a single value, not \(keyValue.kind)")
        continue
      }
      if knownKeys.contains(name) { continue }
      let place = value.path.isEmpty ? "" : " in \(value.path)"
      keyValue.fault("unknown key \"\(name)\"\(place)\(didYouMean(name, among: knownKeys))")
    }
  }
}

extension YAMLValue {
  /// Reads a mapping with the keys that `read` asks for.
  func section<Value>(_ read: (Section) -> Value?) -> Value? {
    guard case .mapping(let mapping) = node else {
      return fault("\(path.isEmpty ? "the file" : path) must be a mapping, not \(kind)")
    }
    let section = Section(value: self, mapping: mapping)
    let result = read(section)
    section.faultUnknownKeys()
    return result
  }
}
