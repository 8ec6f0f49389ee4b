import CNGHTTP2

/// Messages on their way out: heads of HTTP/1.1 become fields.
extension HTTP2Session {
  /// Sends a response head.
  ///
  /// - Parameters:
  ///   - bytes: what `head` was read from.
  ///   - hasContent: content follows, for which the owner is asked; otherwise a final head ends our side.
  /// - Returns: false when the stream is gone.
  public func submit(
    _ head: borrowing ResponseHead, _ bytes: Span<UInt8>, hasContent: Bool, on stream: Int32
  ) -> Bool {
    let isInterim = head.isInterim
    let lines = head.fieldLines
    let status = head.statusAndReason.range.lowerBound
    return bytes.withUnsafeBufferPointer { base in
      fields.removeAll(keepingCapacity: true)
      fields.append(field(":status", base, status..<status &+ 3))
      append(base, lines)
      if isInterim {
        return nghttp2_submit_headers(
          handle, UInt8(NGHTTP2_FLAG_NONE.rawValue), stream, nil, fields, fields.count, nil) == 0
      }
      guard hasContent else { return nghttp2_submit_response(handle, stream, fields, fields.count, nil) == 0 }
      var source = HTTP2Session.contentSource
      return nghttp2_submit_response(handle, stream, fields, fields.count, &source) == 0
    }
  }

  /// Sends trailers after content.
  func submitTrailers(_ lines: [UInt8], on stream: Int32) {
    lines.withUnsafeBufferPointer { base in
      fields.removeAll(keepingCapacity: true)
      append(base, 0..<base.count)
      nghttp2_submit_trailer(handle, stream, fields, fields.count)
    }
  }

  /// Field lines that were read before, without those that belong to an HTTP/1.1 connection. Source: RFC 9113 §8.2.2.
  private func append(_ base: UnsafeBufferPointer<UInt8>, _ lines: Range<Int>) {
    let bytes = base.span
    var walk = FieldLines(lines)
    while let line = walk.next(bytes) {
      guard !HTTP2FieldRules.isConnectionSpecific(bytes.extracting(line.name.range)) else { continue }
      fields.append(nghttp2_nv(
        name: pointer(base, line.name.range), value: pointer(base, line.value.range), namelen: line.name.count,
        valuelen: line.value.count, flags: UInt8(NGHTTP2_NV_FLAG_NONE.rawValue)))
    }
  }

  private func field(_ name: StaticString, _ base: UnsafeBufferPointer<UInt8>, _ value: Range<Int>) -> nghttp2_nv {
    nghttp2_nv(
      name: UnsafeMutablePointer(mutating: name.utf8Start), value: pointer(base, value), namelen: name.utf8CodeUnitCount,
      valuelen: value.count, flags: UInt8(NGHTTP2_NV_FLAG_NONE.rawValue))
  }

  private func pointer(_ base: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> UnsafeMutablePointer<UInt8>? {
    // SAFETY: libnghttp2 copies what it gets, in lower case where it is a name, and never writes to it.
    base.baseAddress.map { UnsafeMutablePointer(mutating: $0 + range.lowerBound) }
  }
}
