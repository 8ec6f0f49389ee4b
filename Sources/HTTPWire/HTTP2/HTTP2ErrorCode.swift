/// Why a stream was reset or a connection ended. Codes that are not known here are kept as they are.
///
/// Source: RFC 9113 §7.
public struct HTTP2ErrorCode: RawRepresentable, Sendable, Hashable {
  public let rawValue: UInt32

  public init(rawValue: UInt32) { self.rawValue = rawValue }

  public static let noError = HTTP2ErrorCode(rawValue: 0x00)
  public static let protocolError = HTTP2ErrorCode(rawValue: 0x01)
  public static let internalError = HTTP2ErrorCode(rawValue: 0x02)
  public static let flowControlError = HTTP2ErrorCode(rawValue: 0x03)
  public static let streamClosed = HTTP2ErrorCode(rawValue: 0x05)
  public static let refusedStream = HTTP2ErrorCode(rawValue: 0x07)
  public static let cancel = HTTP2ErrorCode(rawValue: 0x08)
  public static let connectError = HTTP2ErrorCode(rawValue: 0x0a)
  public static let enhanceYourCalm = HTTP2ErrorCode(rawValue: 0x0b)
  public static let http11Required = HTTP2ErrorCode(rawValue: 0x0d)
}
