//! The Jinja environment, set as transformers sets it.

use std::fmt;
use std::ops::Range;

use jiff::civil::Date;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Value, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, OutputSpanKind};
use minijinja_contrib::pycompat::unknown_method_callback;

use super::error::ChatTemplateError;
use super::python::{printed, tojson};

/// The filter that stands for `{% generation %}`; its name tells its output from any other.
const GENERATION: &str = "equipoise_generation";

/// The name of the one template of an environment.
const NAME: &str = "chat_template";

/// What a template may spend on one conversation: about twenty million instructions, or 64 bytes
/// each. Templates come from strangers, and loops in loops could run for days.
const FUEL: u64 = 20_000_000;

/// A compiled template.
#[derive(Clone)]
pub(super) struct Engine {
    environment: Environment<'static>,
    source: String,
    markers: bool,
}

impl Engine {
    /// Compiles a template.
    pub(super) fn new(source: &str, date: Option<Date>) -> Result<Self, ChatTemplateError> {
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build();
        environment.set_syntax(syntax.map_err(|error| failed(&error, 0))?);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_unknown_method_callback(unknown_method_callback);
        environment.set_formatter(|out, _, value| Ok(out.write_str(&printed(value))?));
        environment.set_fuel(Some(FUEL));
        environment.add_filter("tojson", |value: &Value, options: Kwargs| {
            tojson(value, options)
        });
        environment.add_filter("string", |value: &Value| printed(value));
        environment.add_filter(GENERATION, |value: Value| value);
        environment.add_test("iterable", |value: &Value| {
            !value.is_none() && value.try_iter().is_ok()
        });
        // In Python a sequence is whatever has a length and items.
        environment.add_test("sequence", |value: &Value| {
            value.is_undefined()
                || matches!(
                    value.kind(),
                    ValueKind::String | ValueKind::Seq | ValueKind::Map
                )
        });
        environment.add_function(
            "raise_exception",
            |message: Value| -> Result<Value, Error> {
                Err(stop(Stop::Raised(message.to_string())))
            },
        );
        environment.add_function("strftime_now", move |format: &str| strftime(date, format));
        let (source, markers) = rewrite_markers(source);
        let lines = source.lines().count();
        environment
            .add_template_owned(NAME, source.clone())
            .map_err(|error| ChatTemplateError::Syntax {
                line: error.line().unwrap_or(lines),
                message: told(&error),
            })?;
        Ok(Self {
            environment,
            source,
            markers,
        })
    }

    /// Whether the template marks what the model writes with `{% generation %}`.
    pub(super) fn has_markers(&self) -> bool {
        self.markers
    }

    /// The text, and the bytes of it that came out of `{% generation %}` blocks.
    pub(super) fn render(
        &self,
        context: Value,
    ) -> Result<(String, Vec<Range<usize>>), ChatTemplateError> {
        let template = self.environment.get_template(NAME);
        let template = template.map_err(|error| failed(&error, 0))?;
        if !self.markers {
            let text = template.render(context);
            return Ok((text.map_err(|error| failed(&error, 0))?, Vec::new()));
        }
        let rendered = template.render_with_spans(context);
        let (text, spans) = rendered.map_err(|error| failed(&error, 0))?;
        let generated = spans.iter().filter(|span| {
            span.kind() == OutputSpanKind::Expression
                && self.source.get(span.source_range()) == Some(GENERATION)
        });
        let ranges = generated.map(|span| span.output_range()).collect();
        Ok((text, ranges))
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

/// Why a function stopped the rendering.
#[derive(Debug)]
enum Stop {
    Raised(String),
    NoDate,
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Raised(message) => f.write_str(message),
            Self::NoDate => f.write_str("no date"),
        }
    }
}

impl std::error::Error for Stop {}

fn stop(why: Stop) -> Error {
    Error::new(ErrorKind::InvalidOperation, "stopped").with_source(why)
}

fn strftime(date: Option<Date>, format: &str) -> Result<String, Error> {
    let date = date.ok_or_else(|| stop(Stop::NoDate))?;
    // Midnight, so that the specifiers of hours and minutes have a value too.
    let time = date.at(0, 0, 0, 0);
    jiff::fmt::strtime::format(format, time).map_err(|error| {
        let message = format!("strftime_now({format:?}): {error}");
        Error::new(ErrorKind::InvalidOperation, message)
    })
}

/// An error of a rendering, told apart by what a function of ours attached to it.
fn failed(error: &Error, line: usize) -> ChatTemplateError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = cause {
        match current.downcast_ref::<Stop>() {
            Some(Stop::Raised(message)) => {
                return ChatTemplateError::Raised {
                    message: message.clone(),
                };
            }
            Some(Stop::NoDate) => return ChatTemplateError::NoDate,
            None => cause = current.source(),
        }
    }
    ChatTemplateError::Render {
        line: error.line().unwrap_or(line),
        message: told(error),
    }
}

/// What an error says, without the place, which is told on its own.
fn told(error: &Error) -> String {
    let kind = error.kind();
    match error.detail() {
        Some(detail) => format!("{kind}: {detail}"),
        None => kind.to_string(),
    }
}

/// Replaces `generation` by `filter equipoise_generation`, and `endgeneration` by `endfilter`.
///
/// The engine knows no blocks but its own, and it tells which output a filter block made. The marks
/// for white space (`-`, `+`) and all line breaks stay, so the text does not change.
fn rewrite_markers(source: &str) -> (String, bool) {
    let (mut out, mut found) = (String::with_capacity(source.len()), false);
    let mut rest = source;
    while let Some(at) = rest.find("{%") {
        let (before, tag) = rest.split_at(at + 2);
        out.push_str(before);
        let inner = tag.trim_start_matches(['-', '+']).trim_start();
        let word_length = inner
            .find(|character: char| !character.is_ascii_alphanumeric() && character != '_')
            .unwrap_or(inner.len());
        let (word, after) = inner.split_at(word_length);
        let closed = after
            .trim_start()
            .trim_start_matches(['-', '+'])
            .starts_with("%}");
        let new = match word {
            "generation" if closed => Some(format!("filter {GENERATION}")),
            "endgeneration" if closed => Some("endfilter".to_owned()),
            _ => None,
        };
        rest = match new {
            Some(new) => {
                found = true;
                out.push_str(&tag[..tag.len() - inner.len()]);
                out.push_str(&new);
                after
            }
            None => tag,
        };
    }
    out.push_str(rest);
    (out, found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_become_filters_and_nothing_else_changes() {
        let (rewritten, found) = rewrite_markers("a{%- generation -%}\nb{% endgeneration %}c");
        let expected = "a{%- filter equipoise_generation -%}\nb{% endfilter %}c";
        assert_eq!((rewritten.as_str(), found), (expected, true));
        let other = "{% if add_generation_prompt %}{% set generation = 1 %}é{% endif %}{%";
        assert_eq!(rewrite_markers(other), (other.to_owned(), false));
    }

    #[test]
    fn a_loop_without_end_is_stopped() {
        let source = "{% for a in range(100000) %}{% for b in range(100000) %}\
                      {% for c in range(100000) %}{% endfor %}{% endfor %}{% endfor %}";
        let error = Engine::new(source, None).unwrap().render(Value::UNDEFINED);
        assert!(error.unwrap_err().to_string().contains("fuel"));
    }
}
