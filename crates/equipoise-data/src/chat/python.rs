//! JSON and numbers as Python writes them.

use minijinja::value::{Kwargs, Value as Any, ValueKind};
use minijinja::{Error, ErrorKind};
use serde_json::Value;

/// Python's `json.dumps` with its arguments: the filter `tojson` as transformers replaces it
/// (utils/chat_template_utils.py), where `ensure_ascii` is false unless asked for.
pub(super) fn tojson(value: &Any, options: Kwargs) -> Result<String, Error> {
    if value.is_undefined() {
        let message = "an undefined value is not JSON";
        return Err(Error::new(ErrorKind::UndefinedError, message));
    }
    let failed = |error: serde_json::Error| {
        Error::new(ErrorKind::InvalidOperation, "tojson failed").with_source(error)
    };
    let value = serde_json::to_value(value).map_err(failed)?;
    let indent: Option<usize> = options.get("indent")?;
    let separators: Option<Vec<String>> = options.get("separators")?;
    let pair = separators.as_deref().and_then(|pair| match pair {
        [item, key] => Some((item.clone(), key.clone())),
        _ => None,
    });
    // Python leaves out the space behind the comma where a line break follows.
    let usual = if indent.is_some() { "," } else { ", " };
    let (item, key) = pair.unwrap_or_else(|| (usual.to_owned(), ": ".to_owned()));
    let writer = Json {
        indent,
        item,
        key,
        ascii: options
            .get::<Option<bool>>("ensure_ascii")?
            .unwrap_or(false),
        sort: options.get::<Option<bool>>("sort_keys")?.unwrap_or(false),
    };
    options.assert_all_used()?;
    let mut text = String::new();
    writer.value(&value, 0, &mut text);
    Ok(text)
}

/// How JSON is written.
struct Json {
    indent: Option<usize>,
    item: String,
    key: String,
    ascii: bool,
    sort: bool,
}

impl Json {
    fn value(&self, value: &Value, depth: usize, text: &mut String) {
        match value {
            Value::Null => text.push_str("null"),
            Value::Bool(truth) => text.push_str(if *truth { "true" } else { "false" }),
            Value::Number(number) => text.push_str(&python_number(number)),
            Value::String(string) => self.string(string, text),
            Value::Array(items) => {
                text.push('[');
                for (at, item) in items.iter().enumerate() {
                    self.before(at, depth + 1, text);
                    self.value(item, depth + 1, text);
                }
                self.after(items.is_empty(), depth, text);
                text.push(']');
            }
            Value::Object(keys) => {
                text.push('{');
                let mut pairs: Vec<(&String, &Value)> = keys.iter().collect();
                if self.sort {
                    pairs.sort_by_key(|(key, _)| *key);
                }
                for (at, (key, value)) in pairs.into_iter().enumerate() {
                    self.before(at, depth + 1, text);
                    self.string(key, text);
                    text.push_str(&self.key);
                    self.value(value, depth + 1, text);
                }
                self.after(keys.is_empty(), depth, text);
                text.push('}');
            }
        }
    }

    fn before(&self, at: usize, depth: usize, text: &mut String) {
        if at > 0 {
            text.push_str(&self.item);
        }
        self.line(depth, text);
    }

    fn after(&self, empty: bool, depth: usize, text: &mut String) {
        if !empty {
            self.line(depth, text);
        }
    }

    fn line(&self, depth: usize, text: &mut String) {
        if let Some(width) = self.indent {
            text.push('\n');
            text.extend(std::iter::repeat_n(' ', width * depth));
        }
    }

    fn string(&self, string: &str, text: &mut String) {
        text.push('"');
        for character in string.chars() {
            match character {
                '"' => text.push_str("\\\""),
                '\\' => text.push_str("\\\\"),
                '\n' => text.push_str("\\n"),
                '\r' => text.push_str("\\r"),
                '\t' => text.push_str("\\t"),
                '\u{8}' => text.push_str("\\b"),
                '\u{c}' => text.push_str("\\f"),
                other if u32::from(other) < 0x20 || (self.ascii && u32::from(other) > 0x7e) => {
                    for unit in other.encode_utf16(&mut [0; 2]) {
                        text.push_str(&format!("\\u{unit:04x}"));
                    }
                }
                other => text.push(other),
            }
        }
        text.push('"');
    }
}

/// A number as Python's `repr` writes it: whole numbers as they are, others with the fewest digits
/// that give the same number back, and with an exponent of at least two digits below 1e-4 and from
/// 1e16 on.
fn python_number(number: &serde_json::Number) -> String {
    match number.as_f64() {
        Some(value) if number.is_f64() => python_float(value),
        _ => number.to_string(),
    }
}

/// The same for a number that is finite, as all numbers of JSON are.
fn python_float(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-4..1e16).contains(&size) {
        let text = format!("{value:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) = match exponent.strip_prefix('-') {
            Some(rest) => ('-', rest),
            None => ('+', exponent),
        };
        format!("{digits}e{sign}{exponent:0>2}")
    } else {
        format!("{value:?}")
    }
}

/// What `{{ value }}` and `value | string` are: what the engine writes, which writes most values as
/// Python's `str` does, but for numbers with a point.
pub(super) fn printed(value: &Any) -> String {
    if value.kind() == ValueKind::Number
        && !value.is_integer()
        && let Ok(number) = f64::try_from(value.clone())
        && number.is_finite()
    {
        return python_float(number);
    }
    value.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_python_writes_them() {
        // python3 -c 'print(1e16, 123456789012345.6, 1e-4, 1e-5, 1.5e-7, 1e100, 0.1, 1.0, -0.0)'
        let values = [
            1e16,
            123456789012345.6,
            1e-4,
            1e-5,
            1.5e-7,
            1e100,
            0.1,
            1.0,
            -0.0,
        ];
        let written: Vec<String> = values.into_iter().map(python_float).collect();
        let expected = "1e+16 123456789012345.6 0.0001 1e-05 1.5e-07 1e+100 0.1 1.0 -0.0";
        assert_eq!(written.join(" "), expected);
    }
}
