import CNGHTTP2

/// What a session tells its owner while it takes bytes or gives them. Called within `receive` and `nextOutput` only, from
/// where neither may be called again; everything else may.
public protocol HTTP2SessionOwner: AnyObject {
  /// A field block begins: a head, an interim response's, or trailers.
  func fieldsBegan(on stream: Int32)
  /// - Throws: what the stream is reset with; `enhanceYourCalm` ends the session.
  func fieldCame(on stream: Int32, name: Span<UInt8>, value: Span<UInt8>) throws(HTTP2ErrorCode)
  func fieldsEnded(on stream: Int32, endsStream: Bool) throws(HTTP2ErrorCode)
  /// Counts against the receive windows until `acknowledge`.
  func contentCame(on stream: Int32, _ bytes: Span<UInt8>) throws(HTTP2ErrorCode)
  /// The peer ended its side after content.
  func inputEnded(on stream: Int32) throws(HTTP2ErrorCode)
  /// Asks for content to be sent.
  func content(for stream: Int32, into buffer: UnsafeMutableRawBufferPointer) -> HTTP2Content
  /// The last frame of our side went out.
  func endWasSent(on stream: Int32)
  /// Nothing more happens on the stream.
  func streamClosed(_ stream: Int32, _ error: HTTP2ErrorCode)
  /// The peer takes no more streams; those it has not looked at are closed with `refusedStream`.
  func goAwayCame()
  func settingsCame()
}

/// What there is to be sent of a stream's content.
public enum HTTP2Content: Sendable {
  case bytes(Int, isLast: Bool)
  /// The last bytes, before trailers: field lines with their ends.
  case bytesBeforeTrailers(Int, lines: [UInt8])
  /// Nothing for now; `resume` asks again.
  case none
}

/// One HTTP/2 connection without its socket: libnghttp2, whose only door this is. Confined to the loop of its connection.
///
/// Bytes of the peer go into `receive`; bytes for it come from `nextOutput`.
public final class HTTP2Session {
  public enum Side: Sendable { case server, client }

  public struct Settings: Sendable {
    /// Streams that the peer may have open at once.
    public var concurrentStreams = 128
    /// Bytes that may be on their way on one stream, and on all together, before the owner has taken them.
    public var streamWindow = 256 << 10
    public var connectionWindow = 1 << 20
    /// Announced as SETTINGS_MAX_HEADER_LIST_SIZE.
    public var fieldBytes = 32 << 10

    public init() {}
  }

  // SAFETY: made in `init`, freed in `deinit`, and touched on the owner's loop only. libnghttp2 calls back within calls
  // that `self` makes, and `self` and its owner live as long as those.
  private var session: OpaquePointer?
  private unowned(unsafe) var owner: (any HTTP2SessionOwner)?
  /// Field lists are gathered here, so that a message costs no allocation of its own.
  var fields: [nghttp2_nv] = []

  var handle: OpaquePointer {
    guard let session else { preconditionFailure("a session stands until it is freed") }
    return session
  }

  public init(_ side: Side, _ settings: Settings) {
    var option: OpaquePointer?
    guard nghttp2_option_new(&option) == 0 else { fatalError("out of memory") }
    defer { nghttp2_option_del(option) }
    nghttp2_option_set_no_auto_window_update(option, 1)
    nghttp2_option_set_no_closed_streams(option, 1)
    let context = Unmanaged.passUnretained(self).toOpaque()
    let status: Int32
    switch side {
    case .server: status = nghttp2_session_server_new2(&session, HTTP2Session.callbacks, context, option)
    case .client:
      // Streams of many users share the connection: what one sends must not show in the length of another's fields.
      // Source: RFC 7541 §7.1.
      nghttp2_option_set_max_deflate_dynamic_table_size(option, 0)
      status = nghttp2_session_client_new2(&session, HTTP2Session.callbacks, context, option)
    }
    guard status == 0 else { fatalError("out of memory") }
    announce(settings, side)
  }

  deinit { nghttp2_session_del(session) }

  /// To be called before the first bytes.
  ///
  /// - Parameter owner: outlives every call of the session.
  public func attach(to owner: any HTTP2SessionOwner) { self.owner = owner }

  private func announce(_ settings: Settings, _ side: Side) {
    var entries = [
      nghttp2_settings_entry(
        settings_id: Int32(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE.rawValue), value: UInt32(settings.streamWindow)),
      nghttp2_settings_entry(
        settings_id: Int32(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE.rawValue), value: UInt32(settings.fieldBytes)),
    ]
    switch side {
    case .server:
      entries.append(nghttp2_settings_entry(
        settings_id: Int32(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS.rawValue), value: UInt32(settings.concurrentStreams)))
      // Source: RFC 8441 §3.
      entries.append(nghttp2_settings_entry(
        settings_id: Int32(NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL.rawValue), value: 1))
    case .client:
      entries.append(nghttp2_settings_entry(settings_id: Int32(NGHTTP2_SETTINGS_ENABLE_PUSH.rawValue), value: 0))
    }
    nghttp2_submit_settings(handle, UInt8(NGHTTP2_FLAG_NONE.rawValue), entries, entries.count)
    nghttp2_session_set_local_window_size(
      handle, UInt8(NGHTTP2_FLAG_NONE.rawValue), 0, Int32(settings.connectionWindow))
  }

  // MARK: Bytes

  /// Takes bytes of the peer, all of them.
  ///
  /// - Returns: false when the connection cannot go on; what `nextOutput` still gives may say why.
  public func receive(_ bytes: UnsafeRawBufferPointer) -> Bool {
    let octets = bytes.assumingMemoryBound(to: UInt8.self)
    return nghttp2_session_mem_recv(handle, octets.baseAddress, octets.count) == octets.count
  }

  /// The next bytes for the peer, valid until the next call; nil when there is nothing to be sent.
  public func nextOutput() -> UnsafeRawBufferPointer? {
    var start: UnsafePointer<UInt8>?
    let count = nghttp2_session_mem_send(handle, &start)
    guard count > 0 else { return nil }
    return UnsafeRawBufferPointer(start: start, count: count)
  }

  /// Whether nothing more is read or written: the connection may be closed.
  public var isFinished: Bool { nghttp2_session_want_read(handle) == 0 && nghttp2_session_want_write(handle) == 0 }

  /// The owner has taken bytes of a stream: as many more may come. A stream that is closed counts for its connection.
  public func acknowledge(_ count: Int, on stream: Int32) {
    if count > 0 { nghttp2_session_consume(handle, stream, count) }
  }

  // MARK: Ends

  public func reset(_ stream: Int32, _ error: HTTP2ErrorCode) {
    nghttp2_submit_rst_stream(handle, UInt8(NGHTTP2_FLAG_NONE.rawValue), stream, error.rawValue)
  }

  /// Says that no more streams are taken soon, without refusing those on their way. Source: RFC 9113 §6.8.
  public func announceEnd() { nghttp2_submit_shutdown_notice(handle) }

  /// Takes no more streams; those that stand go on.
  public func refuseStreams() {
    let last = nghttp2_session_get_last_proc_stream_id(handle)
    nghttp2_submit_goaway(
      handle, UInt8(NGHTTP2_FLAG_NONE.rawValue), last, HTTP2ErrorCode.noError.rawValue, nil, 0)
  }

  /// Ends the session with all its streams.
  public func end(_ error: HTTP2ErrorCode) { nghttp2_session_terminate_session(handle, error.rawValue) }

  /// Streams that the peer lets us have open at once.
  public var peerStreamsMax: Int {
    Int(nghttp2_session_get_remote_settings(handle, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS))
  }

  /// Whether the peer has said that it takes WebSockets. Source: RFC 8441 §3.
  public var peerTakesTunnels: Bool {
    nghttp2_session_get_remote_settings(handle, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1
  }

  /// There is content again for a stream that had none.
  public func resume(_ stream: Int32) { nghttp2_session_resume_data(handle, stream) }

  // MARK: Callbacks

  @inline(__always)
  private static func of(_ context: UnsafeMutableRawPointer?) -> (HTTP2Session, any HTTP2SessionOwner) {
    guard let context else { preconditionFailure("set when the session was made") }
    // SAFETY: the context is the session, which is in the middle of a call.
    let session = Unmanaged<HTTP2Session>.fromOpaque(context).takeUnretainedValue()
    guard let owner = session.owner else { preconditionFailure("set when the session was made") }
    return (session, owner)
  }

  /// What libnghttp2 is told when the owner refuses something.
  private func answer(_ error: HTTP2ErrorCode, on stream: Int32) -> Int32 {
    if error == .enhanceYourCalm {
      end(error)
    } else {
      reset(stream, error)
    }
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue
  }

  private func run(on stream: Int32, _ body: () throws(HTTP2ErrorCode) -> Void) -> Int32 {
    do throws(HTTP2ErrorCode) { try body() } catch { return answer(error, on: stream) }
    return 0
  }

  /// For callbacks that cannot refuse by what they return.
  private func runOrReset(on stream: Int32, _ body: () throws(HTTP2ErrorCode) -> Void) -> Int32 {
    _ = run(on: stream, body)
    return 0
  }

  // SAFETY: written once, by whoever comes first, and read-only from then on; libnghttp2 copies it into each session. The
  // pointers that the functions get are libnghttp2's, with the counts beside them, and are used within the call only.
  nonisolated(unsafe) private static let callbacks: OpaquePointer? = {
    var callbacks: OpaquePointer?
    guard nghttp2_session_callbacks_new(&callbacks) == 0 else { fatalError("out of memory") }
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks) { _, frame, context in
      let (_, owner) = of(context)
      guard let frame else { return 0 }
      owner.fieldsBegan(on: frame.pointee.hd.stream_id)
      return 0
    }
    nghttp2_session_callbacks_set_on_header_callback(callbacks) { _, frame, name, nameCount, value, valueCount, _, context in
      let (session, owner) = of(context)
      guard let stream = frame?.pointee.hd.stream_id else { return 0 }
      return session.run(on: stream) { () throws(HTTP2ErrorCode) in
        try owner.fieldCame(
          on: stream, name: UnsafeBufferPointer(start: name, count: nameCount).span,
          value: UnsafeBufferPointer(start: value, count: valueCount).span)
      }
    }
    // What libnghttp2 would leave out silently: a field that is not well-formed spoils the message.
    nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks) { _, frame, _, _, _, _, _, context in
      let (session, _) = of(context)
      guard let stream = frame?.pointee.hd.stream_id else { return 0 }
      return session.answer(.protocolError, on: stream)
    }
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks) { _, frame, context in
      let (session, owner) = of(context)
      guard let frame else { return 0 }
      let header = frame.pointee.hd
      let endsStream = header.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0
      switch UInt32(header.type) {
      case NGHTTP2_HEADERS.rawValue:
        return session.runOrReset(on: header.stream_id) { () throws(HTTP2ErrorCode) in
          try owner.fieldsEnded(on: header.stream_id, endsStream: endsStream)
        }
      case NGHTTP2_DATA.rawValue where endsStream:
        return session.runOrReset(on: header.stream_id) { () throws(HTTP2ErrorCode) in
          try owner.inputEnded(on: header.stream_id)
        }
      case NGHTTP2_GOAWAY.rawValue: owner.goAwayCame()
      case NGHTTP2_SETTINGS.rawValue: owner.settingsCame()
      default: break
      }
      return 0
    }
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks) { _, _, stream, bytes, count, context in
      let (session, owner) = of(context)
      return session.runOrReset(on: stream) { () throws(HTTP2ErrorCode) in
        try owner.contentCame(on: stream, UnsafeBufferPointer(start: bytes, count: count).span)
      }
    }
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks) { _, frame, context in
      let (_, owner) = of(context)
      guard let header = frame?.pointee.hd else { return 0 }
      let carriesMessage = header.type == NGHTTP2_HEADERS.rawValue || header.type == NGHTTP2_DATA.rawValue
      if carriesMessage, header.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0 { owner.endWasSent(on: header.stream_id) }
      return 0
    }
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks) { _, stream, error, context in
      let (_, owner) = of(context)
      owner.streamClosed(stream, HTTP2ErrorCode(rawValue: error))
      return 0
    }
    return callbacks
  }()

  /// Where libnghttp2 asks for content; the stream is all it needs to say.
  static let contentSource = nghttp2_data_provider(source: nghttp2_data_source()) { _, stream, buffer, count, flags, _, context in
    let (session, owner) = of(context)
    // SAFETY: libnghttp2 gives `count` bytes to be filled.
    switch owner.content(for: stream, into: UnsafeMutableRawBufferPointer(start: buffer, count: count)) {
    case .none: return Int(NGHTTP2_ERR_DEFERRED.rawValue)
    case .bytes(let filled, let isLast):
      if isLast { flags?.pointee |= NGHTTP2_DATA_FLAG_EOF.rawValue }
      return filled
    case .bytesBeforeTrailers(let filled, let lines):
      flags?.pointee |= NGHTTP2_DATA_FLAG_EOF.rawValue | NGHTTP2_DATA_FLAG_NO_END_STREAM.rawValue
      session.submitTrailers(lines, on: stream)
      return filled
    }
  }
}
