//! Words and numbers for people.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _};
use std::time::Duration;

use serde::Serialize;

/// An error and its causes in one line. A cause that the message before it already tells is left
/// out: most errors of the libraries include theirs.
pub(crate) fn causes(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            // Writing into a string cannot fail.
            let _ = write!(text, ": {cause}");
        }
    }
    text
}

/// The word a recipe uses for a choice, such as `token_mean`.
pub(crate) fn word(choice: &impl Serialize) -> String {
    match serde_json::to_value(choice) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(other) => other.to_string(),
        Err(_) => "?".to_owned(),
    }
}

/// `0.4375` as `43.8 %`.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// A count with a unit: `950`, `12.3 k`, `4.5 M`.
pub(crate) fn count(number: f64) -> String {
    for (size, unit) in [(1e9, " G"), (1e6, " M"), (1e3, " k")] {
        if number >= size {
            return format!("{:.1}{unit}", number / size);
        }
    }
    format!("{number:.0}")
}

/// Bytes with a binary unit: `512 B`, `3.2 MiB`.
pub(crate) fn bytes(number: u64) -> String {
    let number = number as f64;
    for (power, unit) in [(3, "GiB"), (2, "MiB"), (1, "KiB")] {
        let size = 1024_f64.powi(power);
        if number >= size {
            return format!("{:.1} {unit}", number / size);
        }
    }
    format!("{number:.0} B")
}

/// A time in its two largest units: `0.3 s`, `48 s`, `7 min 5 s`, `2 h 3 min`.
pub(crate) fn duration(time: Duration) -> String {
    if time < Duration::from_secs(10) {
        return format!("{:.1} s", time.as_secs_f64());
    }
    let seconds = time.as_secs_f64().round() as u64;
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    if hours > 0 {
        format!("{hours} h {} min", minutes % 60)
    } else if minutes > 0 {
        format!("{minutes} min {} s", seconds % 60)
    } else {
        format!("{seconds} s")
    }
}

/// A word of a command line, quoted for a shell if it has to be.
pub(crate) fn quoted(argument: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    if !argument.is_empty() && argument.chars().all(plain) {
        argument.to_owned()
    } else {
        format!("'{}'", argument.replace('\'', r"'\''"))
    }
}

/// How to call this program again: by its name, or through cargo if cargo started it.
pub(crate) fn program() -> &'static str {
    match std::env::var_os("CARGO_PKG_NAME") {
        Some(name) if name == "equipoise-cli" => "cargo run --release -p equipoise-cli --",
        _ => "equipoise",
    }
}

/// Whether colours are welcome on standard output.
pub(crate) fn colours() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    io::stdout().is_terminal() && !refused
}

/// The text of a token, white space made visible.
pub(crate) fn token_text(text: Option<String>) -> String {
    match text {
        Some(text) => text.escape_debug().to_string().replace("\\\"", "\""),
        None => char::REPLACEMENT_CHARACTER.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use equipoise_trainer::recipe::KlEstimator;

    #[test]
    fn numbers_have_units() {
        assert_eq!(count(950.0), "950");
        assert_eq!(count(12_340.0), "12.3 k");
        assert_eq!(count(7_300_000.0), "7.3 M");
        assert_eq!(bytes(512), "512 B");
        assert_eq!(bytes(3 * 1024 * 1024 + 200 * 1024), "3.2 MiB");
        assert_eq!(percent(0.4375), "43.8 %");
        assert_eq!(duration(Duration::from_millis(314)), "0.3 s");
        assert_eq!(duration(Duration::from_secs(48)), "48 s");
        assert_eq!(duration(Duration::from_secs(425)), "7 min 5 s");
        assert_eq!(duration(Duration::from_secs(7_380)), "2 h 3 min");
        assert_eq!(word(&KlEstimator::K3Plus), "k3+");
    }

    #[test]
    fn arguments_survive_a_shell() {
        assert_eq!(quoted("stage.rl.lr=1e-6"), "stage.rl.lr=1e-6");
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn a_cause_is_told_once() {
        let inner = io::Error::other("disk full");
        let told = anyhow::Error::from(inner).context("cannot write x: disk full");
        assert_eq!(causes(&told), "cannot write x: disk full");
        let untold = anyhow::Error::from(io::Error::other("disk full")).context("cannot write x");
        assert_eq!(causes(&untold), "cannot write x: disk full");
    }

    #[test]
    fn white_space_in_tokens_is_visible() {
        assert_eq!(token_text(Some("\n".into())), "\\n");
        assert_eq!(token_text(Some("\"a\"".into())), "\"a\"");
        assert_eq!(token_text(None), "\u{fffd}");
    }
}
