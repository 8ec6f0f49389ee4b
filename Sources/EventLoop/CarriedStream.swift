/// What a channel has in place of a socket: a stream that another connection carries together with others.
///
/// Its owner gets the same events as for a socket, from the connection that carries it. Confined to that connection's loop.
public protocol CarriedStream: AnyObject {
  /// Takes what it can now. When that is not everything, the owner is told once it takes more.
  ///
  /// - Returns: how many bytes were taken; nil when the stream is broken.
  func transmit(_ bytes: UnsafeRawBufferPointer) -> Int?
  /// After `nothingYet`, the owner is told when there is something.
  func receive(into buffer: UnsafeMutableRawBufferPointer) -> Channel.Received
  /// Nothing more is transmitted; receiving goes on.
  func endSending()
  /// - Parameter abruptly: the peer must not take what it got for the whole.
  func close(abruptly: Bool)
}
