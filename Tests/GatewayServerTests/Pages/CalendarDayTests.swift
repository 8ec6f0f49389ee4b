import OAuthCore
import Testing

@testable import GatewayServer

struct CalendarDayTests {
  @Test(
    "a moment falls on its day of the Gregorian calendar in UTC",
    arguments: [
      (0, "1970-01-01", "1 January 1970"),
      (-1, "1969-12-31", "31 December 1969"),
      (951_782_399, "2000-02-28", "28 February 2000"),
      (951_782_400, "2000-02-29", "29 February 2000"),
      (951_868_800, "2000-03-01", "1 March 2000"),
      (1_709_164_800, "2024-02-29", "29 February 2024"),
      (1_795_374_000, "2026-11-22", "22 November 2026"),
      (4_107_542_399, "2100-02-28", "28 February 2100"),
      (4_107_542_400, "2100-03-01", "1 March 2100"),
    ] as [(Int64, String, String)])
  func days(seconds: Int64, machine: String, words: String) {
    let day = CalendarDay(Timestamp(seconds: seconds))
    #expect(day.machine == machine)
    #expect(day.words == words)
  }
}
