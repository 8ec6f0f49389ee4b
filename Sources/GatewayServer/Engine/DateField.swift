/// The value of `Date`, made once a second. Source: RFC 9110 §5.6.7, `IMF-fixdate`.
struct DateField {
  private(set) var bytes: [UInt8] = []
  private var second: Int64 = .min

  mutating func update(unixSeconds: Int64) {
    guard unixSeconds != second else { return }
    second = unixSeconds
    bytes = DateField.text(unixSeconds)
  }

  private static func text(_ unixSeconds: Int64) -> [UInt8] {
    let days = unixSeconds / 86_400
    let second = Int(unixSeconds % 86_400)
    let (year, month, day) = civil(days)
    let weekdays = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
    let time = "\(two(second / 3600)):\(two(second / 60 % 60)):\(two(second % 60))"
    return Array("\(weekdays[Int(days % 7)]), \(two(day)) \(months[month - 1]) \(year) \(time) GMT".utf8)
  }

  /// Year, month and day of a day number since 1970-01-01, proleptic Gregorian calendar; not before 1970.
  static func civil(_ days: Int64) -> (year: Int, month: Int, day: Int) {
    // Counts from 1 March of year 0, so that the leap day is the last of its year.
    let shifted = Int(days) + 719_468
    let era = shifted / 146_097
    let dayOfEra = shifted % 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let marchMonth = (5 * dayOfYear + 2) / 153
    let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * marchMonth + 2) / 5 + 1)
  }
}
