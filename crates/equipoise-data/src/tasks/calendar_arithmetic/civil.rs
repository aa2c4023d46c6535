//! Dates of the proleptic Gregorian calendar, and their numbers.

use std::fmt;

/// A date from year 1 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Date {
    pub(super) year: i64,
    /// From 1.
    pub(super) month: i64,
    /// From 1.
    pub(super) day: i64,
}

/// The last year that is written or read, because it has four digits.
pub(super) const LAST_YEAR: i64 = 9999;

/// The number of the last date.
pub(super) const LAST_DAY: i64 = 3_652_059;

pub(super) const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// How many days a month has.
pub(super) fn month_length(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl Date {
    /// The date that `text` spells as `2026-11-24`; `None` if there is no such date.
    pub(super) fn read(text: &str) -> Option<Self> {
        let shape = text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
        if text.len() != 10 || !shape {
            return None;
        }
        let number = |range| text.get::<std::ops::Range<usize>>(range)?.parse().ok();
        let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
        let exists = year >= 1
            && (1..=12).contains(&month)
            && (1..=month_length(year, month)).contains(&day);
        exists.then_some(Self { year, month, day })
    }

    /// The year and the month if years began in March, so that the leap day is a year's last day;
    /// months from 0.
    pub(super) fn march_based(self) -> (i64, i64) {
        match self.month {
            1 | 2 => (self.year - 1, self.month + 9),
            _ => (self.year, self.month - 3),
        }
    }

    /// The date's number; 1 January of year 1 has 1, and every day is one more than the day before
    /// (Hinnant, `days_from_civil`, moved by a constant).
    pub(super) fn number(self) -> i64 {
        let (year, month) = self.march_based();
        start_of_year(year) + start_of_month(month) + self.day
    }

    /// The date with that number; from 1 to [`LAST_DAY`].
    pub(super) fn from_number(number: i64) -> Self {
        // 146 097 days in 400 years; the estimate is at most one too large or too small.
        let mut year = number * 400 / 146_097;
        while start_of_year(year) + 1 > number {
            year -= 1;
        }
        while start_of_year(year + 1) < number {
            year += 1;
        }
        let rest = number - start_of_year(year);
        let month = (0..12)
            .rev()
            .find(|&m| start_of_month(m) < rest)
            .unwrap_or(0);
        let day = rest - start_of_month(month);
        match month {
            10.. => Self {
                year: year + 1,
                month: month - 9,
                day,
            },
            _ => Self {
                year,
                month: month + 3,
                day,
            },
        }
    }

    /// 0 for Sunday.
    pub(super) fn weekday(self) -> usize {
        // Day 1, 1 January of year 1, was a Monday.
        self.number().rem_euclid(7) as usize
    }
}

/// The number of the last day before 1 March of `year`.
pub(super) fn start_of_year(year: i64) -> i64 {
    365 * year + year / 4 - year / 100 + year / 400 - 306
}

/// The days of a year that begins in March before its month `month`, from 0: 31, 30, 31, 30, 31
/// repeat, and (153 m + 2) / 5 adds them up.
pub(super) fn start_of_month(month: i64) -> i64 {
    (153 * month + 2) / 5
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { year, month, day } = self;
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every date from the first to the last, against the lengths of the months alone.
    #[test]
    fn numbers_count_the_days() {
        let (mut number, mut weekday) = (0, 0);
        for year in 1..=LAST_YEAR {
            for month in 1..=12 {
                for day in 1..=month_length(year, month) {
                    number += 1;
                    weekday = (weekday + 1) % 7;
                    let date = Date { year, month, day };
                    assert_eq!(date.number(), number);
                    assert_eq!(Date::from_number(number), date);
                    assert_eq!(date.weekday(), weekday);
                }
            }
        }
        assert_eq!(number, LAST_DAY);
    }

    #[test]
    fn dates_are_read_as_they_are_written() {
        for text in ["2026-11-24", "0001-01-01", "9999-12-31", "2000-02-29"] {
            assert_eq!(Date::read(text).unwrap().to_string(), text);
        }
        for wrong in [
            "",
            "2026-11-31",
            "1900-02-29",
            "0000-01-01",
            "2026-13-01",
            "2026-00-01",
            "2026-1-01",
            "2026/11/24",
            "+026-11-24",
            "2026-11-24 ",
            "２026-11-2",
        ] {
            assert_eq!(Date::read(wrong), None, "{wrong}");
        }
    }
}
