//! Text for HTML and SVG: escaping and numbers.

/// `text` with everything escaped that could end an element or attribute, and made [`visible`].
pub(super) fn escape(text: &str) -> String {
    let visible = visible(text);
    let mut escaped = String::with_capacity(visible.len() + visible.len() / 8);
    for character in visible.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(character),
        }
    }
    escaped
}

/// `text` with signs in place of the control and direction characters that would otherwise change
/// how the text around them reads. Line breaks and tabs stay.
pub(super) fn visible(text: &str) -> String {
    let mut visible = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\t' => visible.push(character),
            // Unicode has pictures of the C0 control characters at U+2400.
            '\0'..='\u{1f}' => {
                visible.push(char::from_u32(0x2400 + character as u32).unwrap_or('\u{fffd}'));
            }
            '\u{7f}'..='\u{9f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{feff}' => visible.push_str(&format!("⟨U+{:04X}⟩", character as u32)),
            _ => visible.push(character),
        }
    }
    visible
}

/// `text` for an attribute in single quotes, which keeps JSON readable and short.
pub(super) fn attribute(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;");
    escaped.replace('\'', "&#39;")
}

/// How a metric's values are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// As they are.
    Plain,
    /// A share of one, as a percentage.
    Share,
}

impl Unit {
    /// A value with about three significant digits.
    pub(super) fn format(self, value: f64) -> String {
        match self {
            Self::Plain => number(value),
            Self::Share if !value.is_finite() => number(value),
            Self::Share => {
                let percent = value * 100.0;
                let decimals = if percent == 0.0 || percent.abs() >= 99.95 {
                    0
                } else if percent.abs() >= 9.995 {
                    1
                } else {
                    2
                };
                format!("{}%", decimal(percent, decimals))
            }
        }
    }

    /// The labels of axis ticks, all with the same number of decimals unless they are powers, and as
    /// many as it takes to tell them apart.
    pub(super) fn ticks(self, ticks: &[f64], are_powers: bool) -> Vec<String> {
        if are_powers {
            return ticks.iter().map(|tick| power(*tick)).collect();
        }
        let scale = if self == Self::Share { 100.0 } else { 1.0 };
        let suffix = if self == Self::Share { "%" } else { "" };
        let scaled = ticks.iter().map(|tick| tick * scale);
        let gaps = ticks
            .windows(2)
            .map(|pair| (pair[1] - pair[0]).abs() * scale);
        let gap = gaps.fold(f64::INFINITY, f64::min);
        let largest = scaled.clone().fold(0.0, |a: f64, b| a.max(b.abs()));
        if largest >= 1e5 || gap < 1e-3 {
            let labels = |decimals| -> Vec<String> {
                let each = scaled.clone();
                each.map(|tick| scientific(tick, decimals) + suffix)
                    .collect()
            };
            let differ = |labels: &Vec<String>| labels.windows(2).all(|pair| pair[0] != pair[1]);
            // A double has no more than 17 digits.
            let found = (1..16).map(labels).find(differ);
            return found.unwrap_or_else(|| labels(16));
        }
        // The decimals that the gap needs: 0.25 two, 0.5 one, 20 none.
        let whole = |decimals: &i32| {
            let shifted = gap * 10_f64.powi(*decimals);
            (shifted - shifted.round()).abs() < 1e-6 * shifted.max(1.0)
        };
        let decimals = (0..=4).find(whole).unwrap_or(4) as usize;
        scaled
            .map(|tick| decimal(tick, decimals) + suffix)
            .collect()
    }
}

/// A number with about three significant digits.
pub(super) fn number(value: f64) -> String {
    let size = value.abs();
    if value.is_nan() {
        "not a number".to_owned()
    } else if size.is_infinite() {
        if value > 0.0 { "∞" } else { "−∞" }.to_owned()
    } else if size < 1e6 && size.fract() == 0.0 {
        decimal(value, 0)
    } else if !(1e-3..1e6).contains(&size) {
        scientific(value, 2)
    } else {
        // Rounded first, so that 99.96 counts as 100 and loses its decimals.
        let rounded = size * 1.0005;
        decimal(
            value,
            (2.0 - rounded.log10().floor()).clamp(0.0, 5.0) as usize,
        )
    }
}

/// A number with a fixed number of decimals, commas between thousands and a true minus sign.
pub(super) fn decimal(value: f64, decimals: usize) -> String {
    let digits = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    let mut text = String::new();
    if value < 0.0 && digits.bytes().any(|b| (b'1'..=b'9').contains(&b)) {
        text.push('−');
    }
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text + fraction
}

/// A number as `1.5×10⁻⁶`, with at most `decimals` decimals and no trailing zeros.
fn scientific(value: f64, decimals: usize) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let text = format!("{value:.decimals$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let mantissa = if mantissa.contains('.') {
        mantissa.trim_end_matches('0').trim_end_matches('.')
    } else {
        mantissa
    };
    let superscript = |digit: char| match digit.to_digit(10) {
        Some(1) => '¹',
        Some(digit @ 2..=3) => char::from_u32(0xb0 + digit).unwrap_or(' '),
        Some(digit) => char::from_u32(0x2070 + digit).unwrap_or(' '),
        None => '⁻',
    };
    let exponent: String = exponent.chars().map(superscript).collect();
    format!("{}×10{exponent}", mantissa.replace('-', "−"))
}

/// A power of ten, without decimals it does not need.
fn power(value: f64) -> String {
    if (1e-3..1e5).contains(&(value * 1.000_001)) {
        let decimals = (-value.log10().round()).max(0.0) as usize;
        return decimal(value, decimals);
    }
    let text = scientific(value, 0);
    text.strip_prefix("1×").unwrap_or(&text).to_owned()
}

/// A length of time in words: `8 min 12 s`.
pub(super) fn duration(seconds: f64) -> String {
    let whole = seconds.round().max(0.0) as u64;
    match whole {
        _ if seconds < 9.95 => format!("{seconds:.1} s"),
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_cannot_come_through() {
        let nasty = "</script><img src=x onerror='alert(1)'>\"&amp;";
        let escaped = escape(nasty);
        assert_eq!(
            escaped,
            "&lt;/script&gt;&lt;img src=x onerror=&#39;alert(1)&#39;&gt;&quot;&amp;amp;"
        );
    }

    #[test]
    fn control_and_direction_characters_are_visible() {
        assert_eq!(escape("a\u{0}\u{1b}[31m\n\tb"), "a␀␛[31m\n\tb");
        assert_eq!(escape("x\u{202e}y"), "x⟨U+202E⟩y");
        assert_eq!(escape("naïve 数 ✓"), "naïve 数 ✓");
    }

    #[test]
    fn numbers_are_short_and_exact_enough() {
        let cases = [
            (0.0, "0"),
            (-63.0, "−63"),
            (0.12345, "0.123"),
            (0.001_041, "0.00104"),
            (-0.05, "−0.0500"),
            (99.96, "100"),
            (9.996, "10.0"),
            (1234.6, "1,235"),
            (1234567.0, "1.23×10⁶"),
            (0.00003, "3×10⁻⁵"),
            (-2.5e-13, "−2.5×10⁻¹³"),
            (f64::NAN, "not a number"),
            (f64::NEG_INFINITY, "−∞"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
        assert_eq!(decimal(-0.0001, 2), "0.00");
        assert_eq!(Unit::Share.format(0.9451), "94.5%");
        assert_eq!(Unit::Share.format(0.0012), "0.12%");
        assert_eq!(Unit::Share.format(1.0), "100%");
    }

    #[test]
    fn ticks_share_their_decimals() {
        assert_eq!(
            Unit::Plain.ticks(&[0.0, 0.25, 0.5], false),
            ["0.00", "0.25", "0.50"]
        );
        assert_eq!(Unit::Plain.ticks(&[0.0, 1000.0], false), ["0", "1,000"]);
        assert_eq!(
            Unit::Share.ticks(&[0.0, 0.005, 0.01], false),
            ["0.0%", "0.5%", "1.0%"]
        );
        assert_eq!(
            Unit::Plain.ticks(&[0.0, 2e-6, 4e-6], false),
            ["0", "2×10⁻⁶", "4×10⁻⁶"]
        );
        assert_eq!(
            Unit::Plain.ticks(&[5.0, 5.000_01, 5.000_02], false),
            ["5×10⁰", "5.00001×10⁰", "5.00002×10⁰"]
        );
        assert_eq!(
            Unit::Plain.ticks(&[5e-4, 7.5e-4, 1e-3], false),
            ["5×10⁻⁴", "7.5×10⁻⁴", "1×10⁻³"]
        );
    }

    #[test]
    fn powers_have_no_decimals_to_spare() {
        let powers = [1e-7, 1e-3, 0.1, 1.0, 1e4, 1e5];
        let labels = Unit::Plain.ticks(&powers, true);
        assert_eq!(labels, ["10⁻⁷", "0.001", "0.1", "1", "10,000", "10⁵"]);
    }

    #[test]
    fn durations_are_words() {
        assert_eq!(duration(3.25), "3.2 s");
        assert_eq!(duration(9.97), "10 s");
        assert_eq!(duration(492.4), "8 min 12 s");
        assert_eq!(duration(7325.0), "2 h 02 min");
    }
}
