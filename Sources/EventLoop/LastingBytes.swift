/// Bytes that are written time and again: whoever holds the owner reads them without counting a reference.
public final class LastingBytes: Sendable {
  // SAFETY: written before anybody else has it, freed when nobody has it any more.
  nonisolated(unsafe) public let bytes: UnsafeRawBufferPointer

  public init(_ content: [UInt8]) {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: content.count, alignment: 1)
    memory.copyBytes(from: content)
    bytes = UnsafeRawBufferPointer(memory)
  }

  deinit { bytes.deallocate() }
}
