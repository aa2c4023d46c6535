//! Prompts with places to be filled.

use crate::invalid::InvalidOption;
use crate::text::quoted;

/// A prompt cut at its places. Filled in one go: what is put into a place is not searched for
/// places.
#[derive(Clone, Debug)]
pub(super) struct Template {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug)]
enum Piece {
    Text(String),
    Place(usize),
}

impl Template {
    /// The template in which each of `places` stands as `{place}`; those that are `needed` must be
    /// there. Braces around anything but small letters and `_`, as in JSON, are text.
    pub(super) fn new(
        verifier: &'static str,
        text: &str,
        places: &[&str],
        needed: &[&str],
    ) -> Result<Self, InvalidOption> {
        let (mut pieces, mut plain, mut rest) = (Vec::new(), String::new(), text);
        let mut used = Vec::new();
        while let Some(open) = rest.find('{') {
            plain.push_str(&rest[..open]);
            let inside = &rest[open + 1..];
            let end = inside.find(|c: char| !c.is_ascii_lowercase() && c != '_');
            match end {
                Some(end) if end > 0 && inside[end..].starts_with('}') => {
                    let name = &inside[..end];
                    let Some(place) = places.iter().position(|place| *place == name) else {
                        let known: Vec<String> =
                            places.iter().map(|p| format!("{{{p}}}")).collect();
                        let value = format!("a text with the place {{{name}}}");
                        let expected = format!("a text with no places but {}", known.join(", "));
                        return Err(InvalidOption::new(verifier, "prompt", value, expected));
                    };
                    pieces.push(Piece::Text(std::mem::take(&mut plain)));
                    pieces.push(Piece::Place(place));
                    used.push(name);
                    rest = &inside[end + 1..];
                }
                _ => {
                    plain.push('{');
                    rest = inside;
                }
            }
        }
        plain.push_str(rest);
        pieces.push(Piece::Text(plain));
        if let Some(missing) = needed.iter().find(|place| !used.contains(place)) {
            let expected = format!("a text with the place {{{missing}}}");
            return Err(InvalidOption::new(
                verifier,
                "prompt",
                quoted(text),
                expected,
            ));
        }
        Ok(Self { pieces })
    }

    /// The prompt with `values` in its places, in the order of the places' names.
    pub(super) fn fill(&self, values: &[&str]) -> String {
        let text = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Place(at) => values.get(*at).copied().unwrap_or_default().to_owned(),
        };
        self.pieces.iter().map(text).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str) -> Result<Template, String> {
        Template::new("judge", text, &["a", "b_c"], &["a"]).map_err(|error| error.to_string())
    }

    #[test]
    fn places_are_filled_once() {
        let filled = template("{a}{b_c} {\"x\": {a}} {{a}} {A} {")
            .unwrap()
            .fill(&["{b_c}", "2"]);
        assert_eq!(filled, "{b_c}2 {\"x\": {b_c}} {{b_c}} {A} {");
    }

    #[test]
    fn wrong_places_are_named() {
        assert_eq!(
            template("{a} {d}").unwrap_err(),
            "judge: prompt is a text with the place {d}; it must be a text with no places but {a}, \
             {b_c}"
        );
        assert_eq!(
            template("{b_c}").unwrap_err(),
            "judge: prompt is \"{b_c}\"; it must be a text with the place {a}"
        );
    }
}
