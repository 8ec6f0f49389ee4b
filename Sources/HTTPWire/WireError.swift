/// Why a message is refused. Its connection is closed: after a message that two parsers could read differently, nothing
/// on the connection can be trusted.
public enum WireError: Error, Sendable, Equatable {
  /// Not `method SP target SP HTTP-version CRLF`. Source: RFC 9112 §3.
  case badRequestLine
  /// Not `HTTP-version SP status-code SP [reason] CRLF`. Source: RFC 9112 §4.
  case badStatusLine
  /// A target that is neither origin-form, absolute-form with the authority of `Host`, nor `*` of OPTIONS. Source: RFC 9112 §3.2.
  case badTarget
  case unsupportedVersion
  case requestLineTooLong
  /// A name that is not a token, or is not followed directly by a colon. Source: RFC 9112 §5.1.
  case badFieldName
  /// A control byte, a bare CR or LF. Source: RFC 9110 §5.5, RFC 9112 §2.2.
  case badFieldValue
  /// A field line that goes on in the next line. Source: RFC 9112 §5.2.
  case obsoleteFolding
  case fieldsTooLarge
  case tooManyFields
  /// Missing, repeated or not an authority. Source: RFC 9112 §3.2.
  case badHost
  case repeatedAuthorization
  /// Repeated, a list, signed, padded or too large. Source: RFC 9112 §6.3.
  case badContentLength
  /// Anything but a single, final `chunked`, or chunked in HTTP/1.0. Source: RFC 9112 §6.1.
  case badTransferEncoding
  /// `Content-Length` beside `Transfer-Encoding`. Source: RFC 9112 §6.3.
  case ambiguousLength
  /// `Connection` is not a list of tokens, or nominates a field that is not the sender's to remove. Source: RFC 9110 §7.6.1.
  case badConnection
  /// An expectation that is not `100-continue`. Source: RFC 9110 §10.1.1.
  case unknownExpectation
  /// Source: RFC 9112 §7.1.
  case badChunk
  /// Bytes of chunk extensions beyond the limit. Source: RFC 9112 §7.1.1.
  case chunkExtensionsTooLarge
  /// Syntax, size, or a field that may not stand in a trailer section. Source: RFC 9110 §6.5.1.
  case badTrailers

  /// The status that answers a request refused for this reason.
  public var status: Int {
    switch self {
    case .unsupportedVersion: 505
    case .requestLineTooLong: 414
    case .fieldsTooLarge, .tooManyFields: 431
    case .unknownExpectation: 417
    default: 400
    }
  }
}
