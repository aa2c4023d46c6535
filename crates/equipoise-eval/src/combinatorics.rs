//! Shares of subsets: how many draws of k out of n have a property.

/// The largest n for which C(n, k) is finite for every k, with room to spare.
pub(crate) const MAX_EXACT: usize = 1000;

/// C(m, k) / C(n, k) for m ≤ n, the chance that k of n, drawn at once, all are among m of them; 0
/// if k > m. A product of k quotients in [0, 1], so that it neither overflows nor cancels.
pub(crate) fn all_among(m: usize, n: usize, k: usize) -> f64 {
    if k > m {
        return 0.0;
    }
    (0..k).map(|j| (m - j) as f64 / (n - j) as f64).product()
}

/// ln C(n, k) for k ≤ n.
pub(crate) fn ln_choose(n: usize, k: usize) -> f64 {
    let ln_factorial = |m: usize| libm::lgamma(m as f64 + 1.0);
    ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k)
}

/// P(X ≥ least) for X the number of marked among k drawn at once from n, c of them marked
/// (hypergeometric): Σ_{j ≥ least} C(c, j) C(n − c, k − j) / C(n, k).
pub(crate) fn at_least(n: usize, c: usize, k: usize, least: usize) -> f64 {
    let lowest = k.saturating_sub(n - c);
    let highest = c.min(k);
    if least <= lowest {
        return 1.0;
    }
    let share = |j: usize| {
        if n <= MAX_EXACT {
            choose(c, j) * choose(n - c, k - j) / choose(n, k)
        } else {
            (ln_choose(c, j) + ln_choose(n - c, k - j) - ln_choose(n, k)).exp()
        }
    };
    // The shorter tail is summed, so that a chance near 1 is exact, too.
    if least > highest {
        0.0
    } else if highest - least < least - lowest {
        (least..=highest).map(share).sum::<f64>().min(1.0)
    } else {
        (1.0 - (lowest..least).map(share).sum::<f64>()).max(0.0)
    }
}

/// C(n, k) as a floating-point number; finite for n ≤ [`MAX_EXACT`].
pub(crate) fn choose(n: usize, k: usize) -> f64 {
    if k > n {
        return 0.0;
    }
    let k = k.min(n - k);
    // Every quotient is rounded once, the product stays within k roundings of the truth.
    (0..k).fold(1.0, |product, j| product * (n - j) as f64 / (j + 1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        // Two of four, both among three: 3 of 6 pairs.
        assert_eq!(all_among(3, 4, 2), 0.5);
        assert_eq!(all_among(1, 4, 2), 0.0);
        assert_eq!(all_among(1, 4, 0), 1.0);
        assert_eq!(choose(5, 2), 10.0);
        assert_eq!(choose(2, 5), 0.0);
        // Of the 6 pairs of 4 with 2 marked: 1 has two, 4 have one, 1 has none.
        assert!((at_least(4, 2, 2, 2) - 1.0 / 6.0).abs() < 1e-14);
        assert!((at_least(4, 2, 2, 1) - 5.0 / 6.0).abs() < 1e-14);
        assert_eq!(at_least(4, 2, 2, 0), 1.0);
        assert_eq!(at_least(4, 2, 2, 3), 0.0);
        assert!(choose(MAX_EXACT, MAX_EXACT / 2).is_finite());
    }

    /// Where one way of computing takes over from the other, both agree.
    #[test]
    fn large_counts_go_on_where_small_ones_end() {
        let (n, c, k) = (MAX_EXACT, 300, 40);
        let by_logarithm = |j| (ln_choose(c, j) + ln_choose(n - c, k - j) - ln_choose(n, k)).exp();
        let sum: f64 = (15..=k).map(by_logarithm).sum();
        assert!((at_least(n, c, k, 15) / sum - 1.0).abs() < 1e-10);
    }
}
