import Yams

/// One value of the file together with where it stands and where its faults go.
///
/// Readers return nil after they have added a fault, so that a section can read all its members before it gives up.
struct YAMLValue {
  let node: Node
  /// What the file calls it, such as `routes[2].match`.
  let path: String
  let context: ReadingContext

  var mark: Mark? { node.mark }

  /// Adds a fault at this value.
  ///
  /// - Returns: nil, for `return value.fault(…)`.
  @discardableResult
  func fault<Value>(_ message: String) -> Value? {
    context.faults.add(message, at: mark)
    return nil
  }

  func fault(_ message: String) { context.faults.add(message, at: mark) }

  /// How the file spells a value of another kind, for messages.
  var kind: String {
    switch node {
    case .mapping: "a mapping"
    case .sequence: "a list"
    case .scalar(let scalar): scalar.string.isEmpty || node.null != nil ? "nothing" : "a single value"
    case .alias: "an alias"
    }
  }

  /// The scalar as written; a number or boolean without quotes is its text.
  ///
  /// References (`${env:…}`) are for secrets only, so that a file can be read without knowing its environment.
  var text: String? {
    guard let scalar else { return nil }
    if SecretReference.looksLike(scalar) {
      return fault("\(path): references such as \(scalar) are for secrets only; write the value itself")
    }
    return scalar
  }

  /// The scalar as written, references included.
  var scalar: String? {
    guard case .scalar(let scalar) = node, node.null == nil || scalar.style != .plain else {
      return fault("\(path) must be a single value, not \(kind)")
    }
    guard !scalar.string.isEmpty else { return fault("\(path) must not be empty") }
    guard scalar.string.utf8.count <= YAMLValue.scalarBytesMax else { return fault("\(path) is too long") }
    guard !scalar.string.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7f }) else {
      return fault("\(path) must not have control characters")
    }
    return scalar.string
  }

  /// No member of the format is longer; 4 KiB fits the longest URL.
  static let scalarBytesMax = 4096

  /// A name that the operator gives a thing: it stands in logs, metrics and paths.
  var identifier: String? {
    guard let text else { return nil }
    let isLegal = text.utf8.count <= 64 && text.utf8.allSatisfy { byte in
      (0x30...0x39).contains(byte) || (0x61...0x7a).contains(byte | 0x20) || [0x2d, 0x2e, 0x5f].contains(byte)
    }
    return isLegal ? text : fault("\(path) must be at most 64 letters, digits, hyphens, dots and underscores")
  }

  var boolean: Bool? {
    guard let text else { return nil }
    switch text {
    case "true": return true
    case "false": return false
    default: return fault("\(path) must be true or false, not \"\(text)\"")
    }
  }

  /// Reads every element; nil when this is no list or one of them is faulty.
  func list<Element>(_ read: (YAMLValue) -> Element?) -> [Element]? {
    guard case .sequence(let sequence) = node else { return fault("\(path) must be a list, not \(kind)") }
    let elements = sequence.enumerated().map { index, node in
      read(YAMLValue(node: node, path: "\(path)[\(index)]", context: context))
    }
    let readable = elements.compactMap { $0 }
    return readable.count == elements.count ? readable : nil
  }

  /// Reads a list and faults what occurs twice.
  func uniqueList<Element: Hashable>(_ read: (YAMLValue) -> Element?) -> [Element]? {
    var seen: Set<Element> = []
    return list { value in
      guard let element = read(value) else { return nil }
      guard seen.insert(element).inserted else { return value.fault("\(value.path): \"\(element)\" is listed twice") }
      return element
    }
  }

  /// Reads every member of a mapping whose keys are names of the operator's choice.
  func members<Element>(_ read: (_ name: String, _ key: YAMLValue, _ value: YAMLValue) -> Element?) -> [Element]? {
    guard case .mapping(let mapping) = node else { return fault("\(path) must be a mapping, not \(kind)") }
    let elements = mapping.map { key, node -> Element? in
      let keyValue = YAMLValue(node: key, path: "a name in \(path)", context: context)
      guard let name = keyValue.text else { return nil }
      return read(name, keyValue, YAMLValue(node: node, path: "\(path).\(name)", context: context))
    }
    let readable = elements.compactMap { $0 }
    return readable.count == elements.count ? readable : nil
  }

  /// One of a type's raw values.
  func choice<Choice: RawRepresentable & CaseIterable>(_: Choice.Type) -> Choice? where Choice.RawValue == String {
    choice(Choice.allCases.map { ($0.rawValue, $0) })
  }

  func choice<Choice>(_ choices: [(name: String, value: Choice)], unavailable: [String] = []) -> Choice? {
    guard let text else { return nil }
    if let choice = choices.first(where: { $0.name == text }) { return choice.value }
    if unavailable.contains(text) { return fault("\(path): \(text) is not available in this version") }
    let names = choices.map(\.name)
    return fault(
      "\(path) must be \(names.joined(separator: ", ")), not \"\(text)\"\(didYouMean(text, among: names))")
  }
}

/// What readers need beside the value itself.
struct ReadingContext {
  let faults: FaultList
  let secrets: SecretSource
}
