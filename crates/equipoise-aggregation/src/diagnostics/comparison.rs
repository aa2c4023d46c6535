//! Several rules on one batch, side by side.

use super::{Diagnostics, diagnose};
use crate::{Error, Reducer, Response, batch_weights};
use std::fmt;

/// What each of several rules would do to one batch.
///
/// Its [`Display`](fmt::Display) is a table for people, with a line of reading for each rule.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Comparison {
    /// The bias under each rule, in the order given.
    pub rules: Vec<Diagnostics>,
}

/// The bias of one batch under each of several rules: which one would be unfair to whom, before any of them
/// is used.
///
/// `responses` and `group_sizes` are those that [`batch_weights`] takes.
///
/// # Errors
/// Those of [`batch_weights`].
///
/// ```
/// use equipoise_aggregation::{Response, diagnostics::compare, rules::{Balanced, TokenMean}};
///
/// let responses = [(4, 1.0), (6, 1.0), (10, -1.0), (15, -1.0)]
///     .map(|(tokens, advantage)| Response { tokens, advantage });
/// let found = compare(&[&TokenMean, &Balanced::default()], &responses, &[4])?;
/// assert_eq!(found.rules[0].mass.unwrap().negative, 25.0 / 35.0);
/// assert_eq!(found.reading(), [
///     "token_mean would put 71 % of the mass on negative responses, which are 50 % of the responses, and \
///      43 % on the longest quarter",
///     "balanced would put 50 % of the mass on negative responses, which are 50 % of the responses, and \
///      30 % on the longest quarter",
/// ]);
/// # Ok::<(), equipoise_aggregation::Error>(())
/// ```
pub fn compare(
    rules: &[&dyn Reducer],
    responses: &[Response],
    group_sizes: &[usize],
) -> Result<Comparison, Error> {
    let rules = rules.iter().map(|rule| {
        let weights = batch_weights(*rule, responses, group_sizes)?;
        diagnose(rule.name(), responses, group_sizes, &weights)
    });
    Ok(Comparison {
        rules: rules.collect::<Result<_, Error>>()?,
    })
}

impl Comparison {
    /// A line on the batch itself, which no rule changes: the share of negative responses, how much the
    /// lengths vary, and how much longer than the positive ones the negative are; means over the groups.
    ///
    /// ```
    /// use equipoise_aggregation::{Response, diagnostics::compare, rules::TokenMean};
    ///
    /// let responses = [(4, 1.0), (6, 1.0), (10, -1.0), (15, -1.0)]
    ///     .map(|(tokens, advantage)| Response { tokens, advantage });
    /// // Mean lengths 5 and 12.5, of all 8.75: 7.5 / 8.75 is 86 %.
    /// assert_eq!(
    ///     compare(&[&TokenMean], &responses, &[4])?.batch_reading(),
    ///     "50 % of the responses are negative; lengths vary by 48 % of their mean, and negative \
    ///      responses are longer than positive ones by 86 % of it"
    /// );
    /// # Ok::<(), equipoise_aggregation::Error>(())
    /// ```
    pub fn batch_reading(&self) -> String {
        let first = self.rules.first();
        let Some((found, shares)) = first.and_then(|found| Some((found, found.responses?))) else {
            return "no response with a token, or no rule to compare".to_owned();
        };
        let mut line = format!(
            "{:.0} % of the responses are negative",
            100.0 * shares.negative
        );
        if let Some(variation) = found.length_variation {
            line += &format!("; lengths vary by {:.0} % of their mean", 100.0 * variation);
        }
        match found.relative_length_gap {
            Some(gap) => {
                let word = if gap < 0.0 { "shorter" } else { "longer" };
                let percent = 100.0 * gap.abs();
                line += &format!(
                    ", and negative responses are {word} than positive ones by {percent:.0} % of it"
                );
            }
            None => line += "; no group has both signs",
        }
        line
    }

    /// A line per rule: the mass on the negative responses, and on the longest.
    pub fn reading(&self) -> Vec<String> {
        let line = |found: &Diagnostics| {
            let rule = &found.rule;
            match (found.responses, found.mass, found.mass_by_length) {
                (Some(responses), Some(mass), Some(quarters)) => format!(
                    "{rule} would put {:.0} % of the mass on negative responses, which are {:.0} % of \
                     the responses, and {:.0} % on the longest quarter",
                    100.0 * mass.negative,
                    100.0 * responses.negative,
                    100.0 * quarters[3],
                ),
                (Some(_), _, _) => format!("{rule} would put no mass on any response"),
                (None, _, _) => format!("{rule} would have no token to train on"),
            }
        };
        self.rules.iter().map(line).collect()
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.rules.iter().map(|found| found.rule.len()).max();
        let width = width.unwrap_or(0).max("rule".len());
        writeln!(
            f,
            "{:width$}  mass + / 0 / −       by length, short to long  coupling  net advantage",
            "rule"
        )?;
        for found in &self.rules {
            let signs = found.mass.map_or("none".to_owned(), |mass| {
                let percent = [mass.positive, mass.neutral, mass.negative].map(|x| 100.0 * x);
                format!(
                    "{:3.0} / {:3.0} / {:3.0} %",
                    percent[0], percent[1], percent[2]
                )
            });
            let lengths = found.mass_by_length.map_or("none".to_owned(), |quarters| {
                let parts = quarters.map(|share| format!("{:3.0}", 100.0 * share));
                format!("{} %", parts.join(" / "))
            });
            let number = |value: Option<f64>| {
                value.map_or("none".to_owned(), |value| format!("{value:+.4}"))
            };
            writeln!(
                f,
                "{:width$}  {signs:19}  {lengths:24}  {:8}  {}",
                found.rule,
                number(found.coupling),
                number(found.net_advantage)
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{Balanced, SequenceMean, TokenMean};

    #[test]
    fn a_table_for_people() {
        let responses = [(4, 1.0), (6, 1.0), (10, -1.0), (15, -1.0)]
            .map(|(tokens, advantage)| Response { tokens, advantage });
        let rules: [&dyn Reducer; 3] = [&TokenMean, &SequenceMean, &Balanced::default()];
        let table = compare(&rules, &responses, &[4]).unwrap().to_string();
        assert_eq!(
            table,
            "rule           mass + / 0 / −       by length, short to long  coupling  net advantage\n\
             token_mean      29 /   0 /  71 %     11 /  17 /  29 /  43 %   -0.4286   -0.4286\n\
             sequence_mean   50 /   0 /  50 %     25 /  25 /  25 /  25 %   +0.0000   +0.0000\n\
             balanced        50 /   0 /  50 %     20 /  30 /  20 /  30 %   +0.0000   +0.0000\n"
        );
    }

    #[test]
    fn nothing_to_compare_is_said() {
        let found = compare(&[&TokenMean], &[], &[]).unwrap();
        assert_eq!(
            found.reading(),
            ["token_mean would have no token to train on"]
        );
        assert!(found.to_string().contains("none"));
    }
}
