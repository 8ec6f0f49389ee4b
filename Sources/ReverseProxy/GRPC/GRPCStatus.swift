import HTTPWire

/// How a gRPC call ended. Source: gRPC, Status codes and their use in gRPC.
public enum GRPCStatus: Int, Sendable {
  case invalidArgument = 3
  case deadlineExceeded = 4
  case permissionDenied = 7
  case resourceExhausted = 8
  case failedPrecondition = 9
  case unimplemented = 12
  case `internal` = 13
  case unavailable = 14
  case unauthenticated = 16

  /// - Parameter status: of one of Postern's own refusals.
  init(refusal status: Int) {
    self =
      switch status {
      case 401: .unauthenticated
      case 403: .permissionDenied
      case 404, 405, 501: .unimplemented
      case 408, 504: .deadlineExceeded
      case 413, 414, 429, 431: .resourceExhausted
      case 424: .failedPrecondition
      case 502, 503: .unavailable
      case 400..<500, 505: .invalidArgument
      default: .internal
      }
  }
}

extension HTTPResponse {
  /// A refusal as gRPC tells it: a response of trailers only, which are its head. Fields stay, content does not.
  ///
  /// Source: gRPC over HTTP/2, Responses.
  ///
  /// - Parameter message: for the caller's log.
  public func asGRPC(message: String) -> HTTPResponse {
    var fields = fields
    fields["Content-Type"] = "application/grpc"
    fields.append("grpc-status", String(GRPCStatus(refusal: status).rawValue))
    fields.append("grpc-message", HTTPResponse.percentEncoded(message))
    return HTTPResponse(status: 200, fields: fields)
  }

  /// Visible ASCII and spaces stand for themselves, except the percent sign. Source: gRPC over HTTP/2, `Percent-Encoded`.
  private static func percentEncoded(_ message: String) -> String {
    let digits = Array("0123456789ABCDEF")
    var text = ""
    for byte in message.utf8 {
      if (0x20...0x7e).contains(byte), byte != UInt8(ascii: "%") {
        text.unicodeScalars.append(Unicode.Scalar(byte))
      } else {
        text += "%"
        text.append(digits[Int(byte >> 4)])
        text.append(digits[Int(byte & 15)])
      }
    }
    return text
  }
}
