//! Learning from a teacher's distributions.
//!
//! At each place of a text the student and the teacher are asked for the log-probabilities of the same K
//! words, all of the vocabulary or the teacher's most probable ones. A [`Divergence`] then gives the value
//! and the derivative by each of the student's K log-probabilities, with each of them taken as a free
//! variable; the model's own softmax does the rest. A temperature is applied by whoever makes the
//! log-probabilities: both are to be `log_softmax(logits / T)`.

use crate::sum::Sum;
use std::fmt;

/// How far a student is from its teacher at one place of a text.
///
/// With p the student's and q the teacher's probabilities, and m = (1 − β) p + β q:
///
/// ```text
/// forward KL   Σ q (log q − log p)                            derivative by log p:  −q
/// reverse KL   Σ p (log p − log q)                                                  p (log p − log q + 1)
/// JSD(β)       β Σ q (log q − log m) + (1 − β) Σ p (log p − log m)                  (1 − β) p (log p − log m)
/// ```
///
/// The generalised Jensen–Shannon divergence is that of GKD (arXiv:2306.13649). It vanishes as β goes to 0
/// or 1, and it is JSD(β) / β that goes to the forward, and JSD(β) / (1 − β) to the reverse KL. TRL's
/// `generalized_jsd_loss` nevertheless returns the KL divergences themselves at β = 0 and β = 1, a jump;
/// [`Divergence::gkd`] does as TRL, and [`Divergence::JensenShannon`] is the formula for every β.
///
/// Over a whole vocabulary these are the divergences. Over K words of it the sums are of those words alone,
/// and can be negative, or 0 although the two disagree: see [`Tail`].
///
/// A log-probability above 0, which no distribution has, counts as 0, and one below −1e150 as that, so that
/// everything is finite for finite input. A NaN is passed on.
///
/// ```
/// use equipoise_objectives::distillation::{Divergence, Tail};
///
/// let student = [0.5_f64.ln(), 0.5_f64.ln()];
/// let teacher = [0.75_f64.ln(), 0.25_f64.ln()];
/// let mut derivatives = [0.0; 2];
/// let value = Divergence::ForwardKl.evaluate(Tail::Ignore, &student, &teacher, &mut derivatives)?;
/// assert!((value - (0.75 * 1.5_f64.ln() + 0.25 * 0.5_f64.ln())).abs() < 1e-15);
/// assert!((derivatives[0] + 0.75).abs() < 1e-15);
/// # Ok::<(), equipoise_objectives::distillation::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Divergence {
    /// KL(teacher ‖ student), which covers all that the teacher would say.
    ForwardKl,
    /// KL(student ‖ teacher), which keeps to what the teacher would say.
    ReverseKl,
    /// Between the two.
    JensenShannon {
        /// β, the teacher's share of the mixture, from 0 to 1; 0.5 is the symmetric divergence and the
        /// default of GKD.
        beta: f64,
    },
}

/// What becomes of the words that were not asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tail {
    /// Nothing: the sums are of the words given. Right if these are all there are.
    #[default]
    Ignore,
    /// They make one more word, of the probability that the K leave over, on both sides. The result is the
    /// divergence of the two distributions seen through K + 1 drawers: never negative, never more than that
    /// over the vocabulary, 0 if and only if they agree on the K words, and its gradient moves mass from
    /// and to the rest. A rest below 1e-12, which rounding alone can leave, counts as 1e-12, a constant.
    Bucket,
}

/// Why a divergence could not be evaluated.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// Rows that belong together are not equally long.
    LengthMismatch {
        /// What the other row holds.
        what: &'static str,
        /// The number of the student's log-probabilities.
        student: usize,
        /// The number of entries of the other row.
        found: usize,
    },
    /// A β is not from 0 to 1.
    InvalidBeta {
        /// The value given.
        beta: f64,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LengthMismatch {
                what,
                student,
                found,
            } => write!(
                f,
                "there are {student} log-probabilities of the student and {found} {what}; \
                 there must be as many"
            ),
            Self::InvalidBeta { beta } => {
                write!(f, "β is {beta}; it must be a number from 0 to 1")
            }
        }
    }
}

impl std::error::Error for Error {}

/// The smallest probability of a [`Tail::Bucket`].
const SMALLEST_REST: f64 = 1e-12;

/// Log-probabilities and their differences are cut off here.
const LARGEST: f64 = 1e150;

/// A word's contribution, and its derivative by log p.
struct Part {
    value: f64,
    by_logprob: f64,
}

impl Divergence {
    /// The divergence that GKD's β stands for in TRL: the forward KL at 0, the reverse KL at 1, and
    /// JSD(β) between.
    ///
    /// # Errors
    /// [`Error::InvalidBeta`] outside \[0, 1\].
    pub fn gkd(beta: f64) -> Result<Self, Error> {
        match beta {
            0.0 => Ok(Self::ForwardKl),
            1.0 => Ok(Self::ReverseKl),
            _ if beta > 0.0 && beta < 1.0 => Ok(Self::JensenShannon { beta }),
            _ => Err(Error::InvalidBeta { beta }),
        }
    }

    /// The divergence at one place, in nats; `derivatives` receives the derivative by each of the student's
    /// log-probabilities. Nothing is averaged over places.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`] unless all three rows have one entry per word, and [`Error::InvalidBeta`].
    pub fn evaluate(
        self,
        tail: Tail,
        student: &[f64],
        teacher: &[f64],
        derivatives: &mut [f64],
    ) -> Result<f64, Error> {
        if let Self::JensenShannon { beta } = self
            && !(0.0..=1.0).contains(&beta)
        {
            return Err(Error::InvalidBeta { beta });
        }
        check(student, "log-probabilities of the teacher", teacher.len())?;
        check(student, "derivatives", derivatives.len())?;
        let mut value = Sum::default();
        let (mut kept, mut kept_by_teacher) = (Sum::default(), Sum::default());
        for ((derivative, p), q) in derivatives.iter_mut().zip(student).zip(teacher) {
            let (log_p, log_q) = (p.clamp(-LARGEST, 0.0), q.clamp(-LARGEST, 0.0));
            let part = self.part(log_p, log_q);
            value.add(part.value);
            *derivative = part.by_logprob;
            kept.add(log_p.exp());
            kept_by_teacher.add(log_q.exp());
        }
        if tail == Tail::Bucket {
            let rest = 1.0 - kept.value();
            let rest_of_teacher = 1.0 - kept_by_teacher.value();
            // Comparisons that leave a NaN alone.
            let floor = |x: f64| if x < SMALLEST_REST { SMALLEST_REST } else { x };
            let part = self.part(floor(rest).ln(), floor(rest_of_teacher).ln());
            value.add(part.value);
            if rest >= SMALLEST_REST {
                // d log rest / d log p = −p / rest
                let slope = part.by_logprob / rest;
                for (derivative, p) in derivatives.iter_mut().zip(student) {
                    *derivative -= slope * p.clamp(-LARGEST, 0.0).exp();
                }
            }
        }
        Ok(value.value())
    }

    fn part(self, log_p: f64, log_q: f64) -> Part {
        let (p, q) = (log_p.exp(), log_q.exp());
        match self {
            Self::ForwardKl => Part {
                value: q * (log_q - log_p),
                by_logprob: -q,
            },
            Self::ReverseKl => {
                let log_ratio = log_p - log_q;
                Part {
                    value: p * log_ratio,
                    by_logprob: p * (log_ratio + 1.0),
                }
            }
            Self::JensenShannon { beta } => {
                let log_m = log_mixture(beta, log_p, log_q);
                let of_student = (1.0 - beta) * p * (log_p - log_m);
                Part {
                    value: beta * q * (log_q - log_m) + of_student,
                    by_logprob: of_student,
                }
            }
        }
    }
}

/// log((1 − β) p + β q)
fn log_mixture(beta: f64, log_p: f64, log_q: f64) -> f64 {
    if beta == 0.0 {
        return log_p;
    }
    if beta == 1.0 {
        return log_q;
    }
    let (a, b) = ((-beta).ln_1p() + log_p, beta.ln() + log_q);
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    high + (low - high).exp().ln_1p()
}

/// On-policy distillation: the advantage of each token that the student itself has sampled (MiniLLM,
/// arXiv:2306.08543; "On-Policy Distillation", Thinking Machines, 2025).
///
/// ```text
/// A_t = log π_teacher,t − log π_θ,t
/// ```
///
/// The negative of A_t has the reverse KL at the token's place as its mean over what the student samples, so
/// a policy-gradient step with these advantages descends it. Use them as constants, one per token, with any
/// policy objective; nothing is centred or standardised. They are cut off at ±1e150.
///
/// # Errors
/// [`Error::LengthMismatch`] unless all rows have one entry per token.
///
/// ```
/// use equipoise_objectives::distillation::on_policy_advantages;
///
/// let mut advantages = [0.0; 2];
/// on_policy_advantages(&[-1.0, -3.0], &[-1.5, -0.5], &mut advantages)?;
/// assert_eq!(advantages, [-0.5, 2.5]);
/// # Ok::<(), equipoise_objectives::distillation::Error>(())
/// ```
pub fn on_policy_advantages(
    student: &[f64],
    teacher: &[f64],
    advantages: &mut [f64],
) -> Result<(), Error> {
    check(student, "log-probabilities of the teacher", teacher.len())?;
    check(student, "advantages", advantages.len())?;
    for ((advantage, own), teacher) in advantages.iter_mut().zip(student).zip(teacher) {
        *advantage = (teacher - own).clamp(-LARGEST, LARGEST);
    }
    Ok(())
}

fn check(student: &[f64], what: &'static str, found: usize) -> Result<(), Error> {
    if student.len() == found {
        return Ok(());
    }
    Err(Error::LengthMismatch {
        what,
        student: student.len(),
        found,
    })
}
