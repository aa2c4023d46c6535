//! Days of the week, days between dates, and dates some days later.

mod civil;

use equipoise_core::{Problem, Stream};
use serde::{Deserialize, Serialize};

use super::wording::{PromptStyle, Wording, instructed};
use crate::task::{Task, TaskError, completion, problem};
use civil::{Date, LAST_DAY, LAST_YEAR, WEEKDAYS, start_of_month, start_of_year};

/// What [`CalendarArithmetic`] asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CalendarQuestion {
    /// On which day of the week is a date? The answer is one of `Sunday` to `Saturday`.
    DayOfWeek,
    /// How many days are there from one date to a later one?
    DaysBetween,
    /// Which date is some days after, or before, another?
    AddDays,
}

impl CalendarQuestion {
    /// All questions.
    pub const ALL: [Self; 3] = [Self::DayOfWeek, Self::DaysBetween, Self::AddDays];
}

/// Calendar arithmetic with dates of the proleptic Gregorian calendar, years 1 to 9999.
///
/// ```text
/// compact   2026-11-24=               Tuesday
///           2026-11-24>2027-01-01=    38
///           2026-11-24+38=            2027-01-01
/// text      On which day of the week is 2026-11-24? …
/// ```
///
/// # Demonstrations
///
/// Dates become day numbers and back. With years that begin in March, so that February is the last
/// month of the year, and months from 0, a date Y, M, D has the number
///
/// ```text
/// N = 365 Y + Y/4 − Y/100 + Y/400 + (153 M + 2)/5 + D − 306       (whole quotients)
/// ```
///
/// which is 1 on 1 January of year 1, a Monday (Hinnant, "chrono-compatible low-level date
/// algorithms"). The way back names the last year and month that start before the day.
///
/// ```text
/// 2026-11-24=    <think>365*2026+506-20+5-306+245+24=739944;739944/7=105706r2</think>Tuesday
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CalendarArithmetic {
    /// From 1 to 6; default 1.
    ///
    /// ```text
    /// level       years      most days between or added
    ///   1      2020–2029                28
    ///   2      2000–2049               366
    ///   3      1950–2099             1 500
    ///   4      1800–2199            15 000
    ///   5      1000–2999           150 000
    ///   6         1–9999         1 500 000
    /// ```
    ///
    /// Days are subtracted, too, from level 3 on.
    pub difficulty: u32,
    /// The questions that are drawn, each equally often; default all.
    pub questions: Vec<CalendarQuestion>,
    /// How problems are written; default compact.
    pub prompt: PromptStyle,
}

impl Default for CalendarArithmetic {
    fn default() -> Self {
        Self {
            difficulty: 1,
            questions: CalendarQuestion::ALL.to_vec(),
            prompt: PromptStyle::default(),
        }
    }
}

impl CalendarArithmetic {
    /// The hardest level.
    pub const LEVELS: u32 = 6;

    const NAME: &'static str = "calendar_arithmetic";
}

const WEEKDAY: Wording = Wording {
    compact: "{}=",
    text: instructed!(
        "On which day of the week is {}, in the Gregorian calendar?",
        "its name"
    ),
};

const BETWEEN: Wording = Wording {
    compact: "{}>{}=",
    text: instructed!(
        "How many days are there from {} to {}, in the Gregorian calendar?",
        "the number"
    ),
};

const LATER: Wording = Wording {
    compact: "{}+{}=",
    text: instructed!(
        "Which date is {} plus {} days, in the Gregorian calendar?",
        "the date, as YYYY-MM-DD"
    ),
};

const EARLIER: Wording = Wording {
    compact: "{}-{}=",
    text: instructed!(
        "Which date is {} minus {} days, in the Gregorian calendar?",
        "the date, as YYYY-MM-DD"
    ),
};

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    Weekday(Date),
    Between(Date, Date),
    /// A date and the days after it, negative for days before it.
    Offset(Date, i64),
}

impl Question {
    fn draw(task: &CalendarArithmetic, stream: &mut Stream) -> Self {
        let ((first, last), most) = match task.difficulty {
            0 | 1 => ((2020, 2029), 28),
            2 => ((2000, 2049), 366),
            3 => ((1950, 2099), 1500),
            4 => ((1800, 2199), 15_000),
            5 => ((1000, 2999), 150_000),
            _ => ((1, LAST_YEAR), 1_500_000),
        };
        let start = Date {
            year: first,
            month: 1,
            day: 1,
        };
        let end = Date {
            year: last,
            month: 12,
            day: 31,
        };
        let (low, high) = (start.number(), end.number());
        let number = stream.between(low, high);
        let date = Date::from_number(number);
        let question = stream.choose(&task.questions).copied();
        match question.unwrap_or(CalendarQuestion::DayOfWeek) {
            CalendarQuestion::DayOfWeek => Self::Weekday(date),
            CalendarQuestion::DaysBetween => {
                let early = stream.between(low, high - 1);
                let days = stream.between(1, most.min(high - early));
                Self::Between(Date::from_number(early), Date::from_number(early + days))
            }
            CalendarQuestion::AddDays => {
                let (before, after) = (most.min(number - low), most.min(high - number));
                let back = task.difficulty >= 3 && stream.below(2) == 0;
                // On the first or last date there is only one direction.
                if (back && before > 0) || after == 0 {
                    Self::Offset(date, -stream.between(1, before))
                } else {
                    Self::Offset(date, stream.between(1, after))
                }
            }
        }
    }

    fn write(&self, style: PromptStyle) -> String {
        match self {
            Self::Weekday(date) => WEEKDAY.write(style, &[&date.to_string()]),
            Self::Between(first, last) => {
                BETWEEN.write(style, &[&first.to_string(), &last.to_string()])
            }
            Self::Offset(date, days) => {
                let wording = if *days < 0 { EARLIER } else { LATER };
                wording.write(style, &[&date.to_string(), &days.abs().to_string()])
            }
        }
    }

    fn read(prompt: &str) -> Option<Self> {
        if let Some(parts) = BETWEEN.read(prompt) {
            return Some(Self::Between(Date::read(parts[0])?, Date::read(parts[1])?));
        }
        let days = |text: &str| {
            let plain = text.bytes().all(|byte| byte.is_ascii_digit());
            let days = plain.then(|| text.parse::<i64>().ok()).flatten()?;
            (days <= LAST_DAY).then_some(days)
        };
        if let Some(parts) = LATER.read(prompt) {
            return Some(Self::Offset(Date::read(parts[0])?, days(parts[1])?));
        }
        if let Some(parts) = EARLIER.read_as(PromptStyle::Text, prompt) {
            return Some(Self::Offset(Date::read(parts[0])?, -days(parts[1])?));
        }
        let part = WEEKDAY.read(prompt)?[0];
        match Date::read(part) {
            Some(date) => Some(Self::Weekday(date)),
            // The date has dashes of its own, so the last one is the minus.
            None => {
                let (date, number) = part.rsplit_once('-')?;
                Some(Self::Offset(Date::read(date)?, -days(number)?))
            }
        }
    }

    /// The thought and the answer; `None` for dates beyond the calendar or in the wrong order.
    fn solve(&self) -> Option<(String, String)> {
        match *self {
            Self::Weekday(date) => {
                let number = date.number();
                let weekday = date.weekday();
                let thought = format!("{};{number}/7={}r{weekday}", counted(date), number / 7);
                Some((thought, WEEKDAYS[weekday].to_owned()))
            }
            Self::Between(first, last) => {
                let (a, b) = (first.number(), last.number());
                let days = b - a;
                let thought = format!("{};{};{b}-{a}={days}", counted(first), counted(last));
                (days >= 0).then(|| (thought, days.to_string()))
            }
            Self::Offset(date, days) => {
                let (from, target) = (date.number(), date.number() + days);
                if !(1..=LAST_DAY).contains(&target) {
                    return None;
                }
                let found = Date::from_number(target);
                let (year, month) = found.march_based();
                let rest = target - start_of_year(year);
                let sign = if days < 0 { '-' } else { '+' };
                let thought = format!(
                    "{};{from}{sign}{}={target};{}={};{target}-{}={rest};m{month}={};{rest}-{}={}",
                    counted(date),
                    days.abs(),
                    year_sum(year),
                    start_of_year(year),
                    start_of_year(year),
                    start_of_month(month),
                    start_of_month(month),
                    found.day,
                );
                Some((thought, found.to_string()))
            }
        }
    }
}

/// The number of the day before 1 March of `year`, as a sum.
fn year_sum(year: i64) -> String {
    let (fourth, century, cycle) = (year / 4, year / 100, year / 400);
    format!("365*{year}+{fourth}-{century}+{cycle}-306")
}

/// The number of a date, worked out.
fn counted(date: Date) -> String {
    let (year, month) = date.march_based();
    let (year, month, day) = (year_sum(year), start_of_month(month), date.day);
    format!("{year}+{month}+{day}={}", date.number())
}

impl Task for CalendarArithmetic {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn alphabet(&self) -> Vec<String> {
        self.prompt.alphabet("+-*/=>;rmsSundayMoTeWhFit")
    }

    fn problem(&self, id: u64, stream: &mut Stream) -> Problem {
        let question = Question::draw(self, stream);
        let answer = question.solve().map(|(_, answer)| answer);
        let prompt = question.write(self.prompt);
        problem(Self::NAME, id, prompt, answer.unwrap_or_default())
    }

    fn demonstration(&self, problem: &Problem, _: &mut Stream) -> Option<String> {
        let (thought, answer) = Question::read(&problem.prompt)?.solve()?;
        Some(completion(&thought, &answer))
    }

    fn verifier(&self) -> &'static str {
        "exact_match"
    }

    fn validate(&self) -> Result<(), TaskError> {
        TaskError::check_difficulty(Self::NAME, self.difficulty, Self::LEVELS)?;
        TaskError::check_any(Self::NAME, "questions", &self.questions)
    }
}
