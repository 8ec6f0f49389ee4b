import CNGHTTP2

/// Messages on their way out: heads of HTTP/1.1 become fields.
extension HTTP2Session {
  /// Sends a response head.
  ///
  /// - Parameters:
  ///   - bytes: what `head` was read from.
  ///   - hasContent: content follows, for which the owner is asked; otherwise a final head ends our side.
  ///   - opensTunnel: it is the 101 that answers an extended CONNECT, which HTTP/2 calls 200. Source: RFC 8441 §5.
  public func submit(
    _ head: borrowing ResponseHead, _ bytes: Span<UInt8>, hasContent: Bool, opensTunnel: Bool = false, on stream: Int32
  ) {
    let isInterim = head.isInterim && !opensTunnel
    let lines = head.fieldLines
    let status = head.statusAndReason.range.lowerBound
    bytes.withUnsafeBufferPointer { base in
      fields.removeAll(keepingCapacity: true)
      fields.append(opensTunnel ? field(":status", "200") : field(":status", base, status..<status &+ 3))
      append(base, lines, leavingOut: opensTunnel ? "sec-websocket-accept" : nil)
      if isInterim {
        nghttp2_submit_headers(handle, UInt8(NGHTTP2_FLAG_NONE.rawValue), stream, nil, fields, fields.count, nil)
      } else if hasContent {
        var source = HTTP2Session.contentSource
        nghttp2_submit_response(handle, stream, fields, fields.count, &source)
      } else {
        nghttp2_submit_response(handle, stream, fields, fields.count, nil)
      }
    }
  }

  /// Sends a request head.
  ///
  /// - Parameters:
  ///   - hasContent: content follows, for which the owner is asked.
  ///   - opensTunnel: it is the opening handshake of a WebSocket, which HTTP/2 calls an extended CONNECT; its key has no
  ///     meaning there. Source: RFC 8441 §4, §5.
  /// - Returns: the stream; nil when the connection takes no more.
  public func submit(
    _ head: borrowing RequestHead, _ bytes: Span<UInt8>, scheme: StaticString, hasContent: Bool, opensTunnel: Bool = false
  ) -> Int32? {
    let lines = head.fieldLines
    let method = head.method.range
    let authority = head.authority.range
    let target = Int(head.path.start)..<Int(head.query?.end ?? head.path.end)
    let stream = bytes.withUnsafeBufferPointer { base in
      fields.removeAll(keepingCapacity: true)
      fields.append(opensTunnel ? field(":method", "CONNECT") : field(":method", base, method))
      if opensTunnel { fields.append(field(":protocol", "websocket")) }
      fields.append(field(":scheme", scheme))
      fields.append(field(":authority", base, authority))
      fields.append(field(":path", base, target))
      append(base, lines, leavingOut: "host", opensTunnel ? "sec-websocket-key" : nil)
      guard hasContent else { return nghttp2_submit_request(handle, nil, fields, fields.count, nil, nil) }
      var source = HTTP2Session.contentSource
      return nghttp2_submit_request(handle, nil, fields, fields.count, &source, nil)
    }
    return stream > 0 ? stream : nil
  }

  /// Sends trailers after content.
  func submitTrailers(_ lines: [UInt8], on stream: Int32) {
    lines.withUnsafeBufferPointer { base in
      fields.removeAll(keepingCapacity: true)
      append(base, 0..<base.count, leavingOut: nil)
      nghttp2_submit_trailer(handle, stream, fields, fields.count)
    }
  }

  /// Field lines that were read before, without those that belong to an HTTP/1.1 connection. Source: RFC 9113 §8.2.2.
  private func append(
    _ base: UnsafeBufferPointer<UInt8>, _ lines: Range<Int>, leavingOut name: StaticString?, _ other: StaticString? = nil
  ) {
    let bytes = base.span
    var walk = FieldLines(lines)
    while let line = walk.next(bytes) {
      guard !HTTP2FieldRules.isConnectionSpecific(bytes.extracting(line.name.range)) else { continue }
      if let name, bytes.equalsIgnoringCase(name, line.name) { continue }
      if let other, bytes.equalsIgnoringCase(other, line.name) { continue }
      fields.append(nghttp2_nv(
        name: pointer(base, line.name.range), value: pointer(base, line.value.range), namelen: line.name.count,
        valuelen: line.value.count, flags: UInt8(NGHTTP2_NV_FLAG_NONE.rawValue)))
    }
  }

  private func field(_ name: StaticString, _ value: StaticString) -> nghttp2_nv {
    nghttp2_nv(
      name: UnsafeMutablePointer(mutating: name.utf8Start), value: UnsafeMutablePointer(mutating: value.utf8Start),
      namelen: name.utf8CodeUnitCount, valuelen: value.utf8CodeUnitCount, flags: UInt8(NGHTTP2_NV_FLAG_NONE.rawValue))
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
