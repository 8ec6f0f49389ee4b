extension UnsafeRawBufferPointer {
  /// The same memory as bytes, to make a `Span` of.
  var octets: UnsafeBufferPointer<UInt8> {
    // SAFETY: raw memory may be bound to a trivial type of one byte.
    bindMemory(to: UInt8.self)
  }
}
