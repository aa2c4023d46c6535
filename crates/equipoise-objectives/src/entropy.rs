//! A bonus for undecided policies.

use crate::Term;

/// Rewards entropy, to keep a policy exploring (Williams and Peng, 1991).
///
/// ```text
/// ℓ_t = −c H_t          dℓ_t / dH_t = −c
/// ```
///
/// with H_t the entropy, in nats, of the policy's distribution over the vocabulary at token t.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EntropyBonus {
    /// The coefficient c; 0 switches the bonus off, and a negative one punishes entropy.
    pub coefficient: f64,
}

impl EntropyBonus {
    /// The loss term of one token, and its derivative with respect to the entropy.
    pub fn evaluate(self, entropy: f64) -> Term {
        Term {
            value: -(self.coefficient * entropy),
            derivative: -self.coefficient,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let bonus = EntropyBonus { coefficient: 0.5 };
        assert_eq!(
            bonus.evaluate(3.0),
            Term {
                value: -1.5,
                derivative: -0.5
            }
        );
    }
}
