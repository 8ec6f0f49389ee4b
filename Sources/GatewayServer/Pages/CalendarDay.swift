import OAuthCore

/// A day of the Gregorian calendar in UTC, for showing.
struct CalendarDay: Sendable, Equatable {
  /// `2026-11-22`, for `datetime`.
  let machine: String
  /// `22 November 2026`.
  let words: String

  private static let months = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
  ]

  init(_ moment: Timestamp) {
    // Days are counted from 0000-03-01, so that the leap day ends the year; an era is 400 years.
    let secondsPerDay: Int64 = 86_400
    let remainder = moment.seconds % secondsPerDay
    let daysSince1970 = (moment.seconds - (remainder < 0 ? remainder + secondsPerDay : remainder)) / secondsPerDay
    let days = daysSince1970 + 719_468
    let era = (days >= 0 ? days : days - 146_096) / 146_097
    let dayOfEra = days - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthFromMarch = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
    let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
    let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    machine = "\(year)-\(month < 10 ? "0" : "")\(month)-\(day < 10 ? "0" : "")\(day)"
    words = "\(day) \(Self.months[Int(month) - 1]) \(year)"
  }
}
