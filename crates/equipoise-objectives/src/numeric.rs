//! The few functions many losses are made of, written so that nothing overflows.

/// Exponents are cut off here before they are exponentiated; e⁸⁰ is about 5.5 · 10³⁴. TRL cuts the
/// exponents of its α-divergence at the same place.
pub(crate) const LARGEST_EXPONENT: f64 = 80.0;

/// The logistic function σ(x) = 1 / (1 + e⁻ˣ), between 0 and 1, without overflow on either side.
///
/// ```
/// use equipoise_objectives::preference::sigmoid;
///
/// assert_eq!(sigmoid(0.0), 0.5);
/// assert_eq!(sigmoid(-1e6), 0.0);
/// assert_eq!(sigmoid(1e6), 1.0);
/// ```
#[must_use]
pub fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 {
        1.0 / (1.0 + (-x).exp())
    } else {
        let e = x.exp();
        e / (1.0 + e)
    }
}

/// ln σ(x) = −ln(1 + e⁻ˣ), at most 0, exact to rounding for every finite x.
///
/// ```
/// use equipoise_objectives::preference::log_sigmoid;
///
/// assert_eq!(log_sigmoid(0.0), -(2.0_f64.ln()));
/// assert_eq!(log_sigmoid(-1e6), -1e6);
/// ```
#[must_use]
pub fn log_sigmoid(x: f64) -> f64 {
    if x >= 0.0 {
        -(-x).exp().ln_1p()
    } else {
        x - x.exp().ln_1p()
    }
}

/// ln(1 − eˣ) for x < 0, the logarithm of one minus a probability given by its logarithm.
///
/// Near 0 it is ln(−expm1(x)), elsewhere ln_1p(−eˣ): the border −ln 2 is that of Mächler (2012),
/// "Accurately computing log(1 − exp(−|a|))". NaN for x > 0, −∞ at 0.
///
/// ```
/// use equipoise_objectives::preference::log1mexp;
///
/// assert!((log1mexp(0.25_f64.ln()) - 0.75_f64.ln()).abs() < 1e-15);
/// ```
#[must_use]
pub fn log1mexp(x: f64) -> f64 {
    if x > -std::f64::consts::LN_2 {
        (-x.exp_m1()).ln()
    } else {
        (-x.exp()).ln_1p()
    }
}

/// eˣ with the exponent cut off at [`LARGEST_EXPONENT`], and its derivative, 0 where it was cut off.
pub(crate) fn exp_cut(x: f64) -> (f64, f64) {
    if x > LARGEST_EXPONENT {
        (LARGEST_EXPONENT.exp(), 0.0)
    } else {
        let value = x.exp();
        (value, value)
    }
}

/// σ(x) σ(−x), the derivative of σ.
pub(crate) fn slope(x: f64) -> f64 {
    sigmoid(x) * sigmoid(-x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms_of_probabilities_stay_exact_at_both_ends() {
        assert_eq!(log_sigmoid(1e6), 0.0);
        assert!((log_sigmoid(40.0) + (-40.0_f64).exp()).abs() < 1e-32);
        assert!((log1mexp(-1e-10) - (1e-10_f64).ln()).abs() < 1e-9);
        assert!((log1mexp(-50.0) + (-50.0_f64).exp()).abs() < 1e-36);
        assert_eq!(exp_cut(81.0), (80.0_f64.exp(), 0.0));
    }
}
