//! maj@k: the answer that most of k samples give.

use std::collections::BTreeMap;

use equipoise_core::{Domain, Stream};

use crate::address::MAJORITY;
use crate::combinatorics::{MAX_EXACT, choose};
use crate::{EvalError, Outcomes, Scores};

/// More steps of the exact count than this and maj@k is resampled: about a second.
const EXACT_STEPS: f64 = 3e8;

/// One scored sample as a vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vote<'a> {
    /// The extracted answer; `None` abstains: the sample is drawn like any other, but votes for
    /// nothing.
    pub answer: Option<&'a str>,
    /// Whether the answer is right.
    pub correct: bool,
}

/// The votes of one problem, counted: answers that mean the same are one.
#[derive(Clone, Debug, PartialEq)]
pub struct Ballot {
    answers: Vec<Counted>,
    abstained: usize,
}

/// An answer and its votes.
#[derive(Clone, Debug, PartialEq)]
struct Counted {
    answer: String,
    votes: usize,
    /// How many of the votes are right: all or none, if the verifier and `same` agree.
    right: usize,
}

/// How a maj@k that is too large to be counted is resampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resampling {
    /// How many subsets are drawn, at least 1; default 20 000.
    pub draws: usize,
    /// The seed; default 0.
    pub seed: u64,
}

impl Default for Resampling {
    fn default() -> Self {
        Self {
            draws: 20_000,
            seed: 0,
        }
    }
}

impl Ballot {
    /// Counts votes. An answer joins the first one that `same` says it is the same as; `same` should
    /// be an equivalence, such as two numbers being equal.
    pub fn new(votes: &[Vote<'_>], same: impl Fn(&str, &str) -> bool) -> Self {
        let mut answers: Vec<Counted> = Vec::new();
        let mut abstained = 0;
        for vote in votes {
            let Some(answer) = vote.answer else {
                abstained += 1;
                continue;
            };
            let known = answers.iter().position(|one| {
                // Equal texts need no opinion.
                one.answer == answer || same(&one.answer, answer)
            });
            let at = known.unwrap_or_else(|| {
                answers.push(Counted {
                    answer: answer.to_owned(),
                    votes: 0,
                    right: 0,
                });
                answers.len() - 1
            });
            answers[at].votes += 1;
            answers[at].right += usize::from(vote.correct);
        }
        Self { answers, abstained }
    }

    /// How many samples there are, those that abstain included.
    pub fn len(&self) -> usize {
        self.abstained + self.answers.iter().map(|one| one.votes).sum::<usize>()
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The answers with the most votes, in the order of their first vote; none if all abstain.
    pub fn leaders(&self) -> Vec<&str> {
        let most = self.answers.iter().map(|one| one.votes).max();
        let leading = self.answers.iter().filter(|one| Some(one.votes) == most);
        leading.map(|one| one.answer.as_str()).collect()
    }

    /// maj@k: the chance that the answer with the most votes among k samples, drawn at once, is
    /// right (self-consistency, Wang et al., arXiv:2203.11171).
    ///
    /// ```text
    /// maj@k = E over subsets of k [ mean over the answers tied for the most votes of 1[right] ]
    /// ```
    ///
    /// A tie is broken by chance, and the expectation over that chance is taken exactly. A subset
    /// in which all abstain is wrong. The expectation over subsets is exact, too, from the counts
    /// alone: for every right answer and every number of votes x it can win with, a polynomial
    /// counts the subsets in which the others have at most x votes, t of them exactly x. It is
    /// resampled as `resampling` says only if that takes too long (several hundred samples with
    /// large k) or n is above 1000. An answer whose votes are right in part counts as that part.
    ///
    /// ```
    /// use equipoise_eval::{Ballot, Resampling, Vote};
    ///
    /// let vote = |answer, correct| Vote { answer: Some(answer), correct };
    /// let votes = [vote("7", true), vote("7.0", true), vote("8", false)];
    /// let number = |text: &str| text.parse::<f64>().ok();
    /// let ballot = Ballot::new(&votes, |a, b| number(a) == number(b));
    /// // Of three votes two are right. Of two: {7, 7.0} is right, and {7, 8} and {7.0, 8} are ties.
    /// assert_eq!(ballot.majority_at_k(3, &Resampling::default())?, 1.0);
    /// let of_two = ballot.majority_at_k(2, &Resampling::default())?;
    /// assert!((of_two - 2.0 / 3.0).abs() < 1e-12);
    /// # Ok::<(), equipoise_eval::EvalError>(())
    /// ```
    ///
    /// # Errors
    /// [`EvalError::OutOfRange`] unless 1 ≤ k ≤ [`Ballot::len`], or for no draws.
    pub fn majority_at_k(&self, k: usize, resampling: &Resampling) -> Result<f64, EvalError> {
        self.at_k(k, resampling, 0)
    }

    fn at_k(&self, k: usize, resampling: &Resampling, problem: u64) -> Result<f64, EvalError> {
        let n = self.len();
        if k == 0 || k > n {
            let what = format!("k, of {n} votes,");
            return Err(EvalError::range(what, k, "from 1 to the number of votes"));
        }
        if resampling.draws == 0 {
            return Err(EvalError::range("the number of draws", 0, "at least 1"));
        }
        if k == n {
            let votes: Vec<usize> = self.answers.iter().map(|one| one.votes).collect();
            return Ok(self.right_of(&votes));
        }
        if n <= MAX_EXACT && self.steps(k) <= EXACT_STEPS {
            return Ok(self.count(k));
        }
        let stream = Stream::new(
            resampling.seed,
            Domain::Other,
            [MAJORITY, problem, k as u64],
        );
        Ok(self.resample(k, resampling.draws, stream))
    }

    /// The chance that the winner is right if the answers have so many votes.
    fn right_of(&self, votes: &[usize]) -> f64 {
        let most = votes.iter().copied().max().unwrap_or(0);
        if most == 0 {
            return 0.0;
        }
        let leading = self
            .answers
            .iter()
            .zip(votes)
            .filter(|(_, votes)| **votes == most);
        let (sum, count) = leading.fold((0.0, 0), |(sum, count), (one, _)| {
            (sum + one.share(), count + 1)
        });
        sum / f64::from(count)
    }

    /// The numbers of votes that right answers have, with the sum of their right shares.
    fn right_sizes(&self) -> BTreeMap<usize, f64> {
        let mut sizes = BTreeMap::new();
        for one in self.answers.iter().filter(|one| one.right > 0) {
            *sizes.entry(one.votes).or_insert(0.0) += one.share();
        }
        sizes
    }

    /// About how many steps [`count`](Self::count) takes.
    fn steps(&self, k: usize) -> f64 {
        let n = self.len() as f64;
        let of_size = |&size: &usize| {
            let widths = (1..=size.min(k)).map(|x| (k / x + 1) as f64);
            widths.sum::<f64>() * n * k as f64
        };
        self.right_sizes().keys().map(of_size).sum()
    }

    fn count(&self, k: usize) -> f64 {
        let mut rows: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
        let sizes = self.answers.iter().map(|one| one.votes);
        for size in sizes.chain([self.abstained]) {
            let row = || (0..=size.min(k)).map(|y| choose(size, y)).collect();
            rows.entry(size).or_insert_with(row);
        }
        let mut favourable = 0.0;
        for (size, right) in self.right_sizes() {
            for x in 1..=size.min(k) {
                favourable += right * rows[&size][x] * self.others(size, x, k - x, &rows);
            }
        }
        favourable / choose(self.len(), k)
    }

    /// Σ over the draws of `rest` samples from all but one answer with `size` votes, in which no
    /// answer has more than x, of 1 / (1 + t), where t have exactly x.
    fn others(&self, size: usize, x: usize, rest: usize, rows: &BTreeMap<usize, Vec<f64>>) -> f64 {
        let ties = rest / x;
        // ways[drawn][tied]
        let mut ways = vec![vec![0.0_f64; ties + 1]; rest + 1];
        for (drawn, row) in ways.iter_mut().zip(&rows[&self.abstained]) {
            drawn[0] = *row;
        }
        let mut left_out = false;
        for one in &self.answers {
            if one.votes == size && !left_out {
                left_out = true;
                continue;
            }
            let row = &rows[&one.votes];
            // From the end, so that what is read has not been written.
            for drawn in (0..=rest).rev() {
                for tied in (0..=ties).rev() {
                    let below = row.iter().take(x).enumerate().take(drawn + 1);
                    let mut sum: f64 = below.map(|(y, c)| c * ways[drawn - y][tied]).sum();
                    if let Some(c) = row.get(x)
                        && drawn >= x
                        && tied >= 1
                    {
                        sum += c * ways[drawn - x][tied - 1];
                    }
                    ways[drawn][tied] = sum;
                }
            }
        }
        let last = ways[rest].iter().zip(1_u32..);
        last.map(|(ways, winners)| ways / f64::from(winners)).sum()
    }

    fn resample(&self, k: usize, draws: usize, mut stream: Stream) -> f64 {
        let sizes = self.answers.iter().map(|one| one.votes).enumerate();
        let mut cards: Vec<usize> = sizes.flat_map(|(at, size)| vec![at; size]).collect();
        // Those that abstain.
        cards.resize(self.len(), self.answers.len());
        let mut sum = 0.0;
        for _ in 0..draws {
            let mut votes = vec![0; self.answers.len()];
            for drawn in 0..k {
                let rest = (cards.len() - drawn) as u64;
                cards.swap(drawn, drawn + stream.below(rest) as usize);
                if let Some(votes) = votes.get_mut(cards[drawn]) {
                    *votes += 1;
                }
            }
            sum += self.right_of(&votes);
        }
        sum / draws as f64
    }
}

impl Counted {
    /// The share of right votes.
    fn share(&self) -> f64 {
        self.right as f64 / self.votes as f64
    }
}

/// maj@k of every problem: [`Ballot::majority_at_k`]. Samples that could not be scored take no part;
/// a problem where fewer than k could be is absent. `answers` belongs to `outcomes`, row by row and
/// sample by sample.
///
/// # Errors
/// [`EvalError::OutOfRange`] for k = 0 or no draws, [`EvalError::LengthMismatch`] if the rows do not
/// belong together.
pub fn majority_at_k(
    outcomes: &Outcomes<bool>,
    answers: &[Vec<Option<String>>],
    k: usize,
    same: impl Fn(&str, &str) -> bool,
    resampling: &Resampling,
) -> Result<Scores, EvalError> {
    if k == 0 {
        return Err(EvalError::range("k", k, "at least 1"));
    }
    let mismatch = |what, first, second| EvalError::LengthMismatch {
        what,
        first,
        second,
    };
    if answers.len() != outcomes.rows().len() {
        let what = "rows of outcomes and of answers";
        return Err(mismatch(what, outcomes.rows().len(), answers.len()));
    }
    let mut values = Vec::with_capacity(answers.len());
    for ((row, answers), problem) in outcomes.rows().iter().zip(answers).zip(0..) {
        if row.len() != answers.len() {
            let what = "outcomes and answers of a problem";
            return Err(mismatch(what, row.len(), answers.len()));
        }
        let votes: Vec<Vote<'_>> = row
            .iter()
            .zip(answers)
            .filter_map(|(outcome, answer)| {
                let answer = answer.as_deref();
                outcome.map(|correct| Vote { answer, correct })
            })
            .collect();
        values.push(match votes.len() < k {
            true => None,
            false => Some(Ballot::new(&votes, &same).at_k(k, resampling, problem)?),
        });
    }
    Ok(outcomes.with_values(format!("maj@{k}"), k, values))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The exact count and the resampled one agree within five standard errors.
    #[test]
    fn resampling_agrees_with_the_count() {
        let votes: Vec<Vote<'_>> = ["a", "a", "a", "b", "b", "b", "c", "d", "e"]
            .into_iter()
            .map(|answer| Vote {
                answer: (answer != "e").then_some(answer),
                correct: answer == "a",
            })
            .collect();
        let ballot = Ballot::new(&votes, |a, b| a == b);
        for k in 1..9 {
            let stream = Stream::new(3, Domain::Other, [MAJORITY, 0, k as u64]);
            let (exact, drawn) = (ballot.count(k), ballot.resample(k, 20_000, stream));
            assert!(
                (exact - drawn).abs() < 5.0 * 0.5 / 20_000_f64.sqrt(),
                "{k}: {exact} {drawn}"
            );
        }
    }
}
