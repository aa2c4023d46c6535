//! Patterns, tags and JSON.

use equipoise_verifiers::{
    JsonFormat, JsonFormatOptions, Pattern, PatternOptions, Tags, TagsOptions, TextExtraction,
    Verifier,
};

use crate::{problem, reward};

fn pattern(pattern: &str, whole: bool, forbidden: bool) -> Pattern {
    let pattern = pattern.to_owned();
    Pattern::new(PatternOptions {
        pattern,
        whole,
        forbidden,
    })
    .unwrap()
}

#[test]
fn patterns_are_searched_or_match_as_a_whole() {
    for (text, whole, completion, expected) in [
        (r"\d+", false, "it is 42.", 1.0),
        (r"\d+", true, "it is 42.", 0.0),
        (r"\d+", true, "42", 1.0),
        (r"\d+", true, "42\n", 0.0),
        ("a|ab", true, "ab", 1.0),
        ("a.b", true, "a\nb", 0.0),
        ("(?s)a.b", true, "a\nb", 1.0),
        ("(?x) a b # both", true, "ab", 1.0),
        ("(?x) a b # both", true, "abc", 0.0),
        ("^b$", false, "a\nb", 0.0),
        ("(?m)^b$", false, "a\nb", 1.0),
    ] {
        assert_eq!(
            reward(&pattern(text, whole, false), "", completion),
            expected,
            "{text}"
        );
        assert_eq!(
            reward(&pattern(text, whole, true), "", completion),
            1.0 - expected
        );
    }
}

#[test]
fn patterns_say_what_they_found() {
    let said = pattern(r"\d+", false, false).explain(&problem(""), "it is 42.");
    assert_eq!(said.extracted.as_deref(), Some("42"));
    assert_eq!(said.why, "\"\\\\d+\" matches at byte 6");
    let error = Pattern::new(PatternOptions {
        pattern: "a(".into(),
        ..Default::default()
    });
    let error = error.unwrap_err();
    assert_eq!((error.verifier, error.option), ("pattern", "pattern"));
    assert!(error.to_string().contains("unclosed group"), "{error}");
}

/// An expression that makes engines with backtracking take 2^n steps.
#[test]
fn patterns_take_linear_time() {
    let evil = pattern("(a*)*b", true, false);
    assert_eq!(reward(&evil, "", &"a".repeat(200_000)), 0.0);
}

fn tags(text_outside: bool, partial: bool) -> Tags {
    let tags = vec!["think".to_owned(), "answer".to_owned()];
    Tags::new(TagsOptions {
        tags,
        text_outside,
        partial,
    })
    .unwrap()
}

#[test]
fn tags_stand_once_and_in_order() {
    // With partial credit there are four marks and the form as a whole.
    for (completion, strict, partial) in [
        ("<think>a</think><answer>b</answer>", 1.0, 1.0),
        (" <think></think>\n<answer></answer>\n", 1.0, 1.0),
        ("so <think>a</think><answer>b</answer>", 0.0, 0.8),
        ("<think>a</think> so <answer>b</answer>", 0.0, 0.8),
        ("<think>a</think><answer>b</answer>.", 0.0, 0.8),
        ("<answer>b</answer><think>a</think>", 0.0, 0.8),
        ("<think><answer></think></answer>", 0.0, 0.8),
        ("<think>a</think>b", 0.0, 0.4),
        ("<think><think></think><answer></answer>", 0.0, 0.6),
        ("<answer>", 0.0, 0.2),
        ("", 0.0, 0.0),
    ] {
        assert_eq!(
            reward(&tags(false, false), "", completion),
            strict,
            "{completion}"
        );
        assert_eq!(
            reward(&tags(false, true), "", completion),
            partial,
            "{completion}"
        );
    }
    assert_eq!(
        reward(
            &tags(true, false),
            "",
            "so <think>a</think> b <answer>c</answer>."
        ),
        1.0
    );
    assert_eq!(
        reward(&tags(true, false), "", "<answer>b</answer><think>a</think>"),
        0.0
    );
    let said = tags(false, false).explain(&problem(""), "<think>a</think>");
    assert_eq!(said.why, "<answer> stands 0 times, not once");
}

#[test]
fn tags_have_names_that_can_be_told_apart() {
    let error = |names: &[&str]| {
        let tags = names.iter().map(|&name| name.to_owned()).collect();
        Tags::new(TagsOptions {
            tags,
            ..Default::default()
        })
        .unwrap_err()
        .to_string()
    };
    assert_eq!(
        error(&[]),
        "tags: tags is empty; it must be a list of at least one name"
    );
    assert!(error(&["a", "a"]).contains("\"a\" twice"));
    for bad in ["", "a b", "/a", "<a>"] {
        assert!(error(&[bad]).contains("names without white space"), "{bad}");
    }
}

fn json(options: JsonFormatOptions) -> JsonFormat {
    JsonFormat::new(options).unwrap()
}

#[test]
fn json_is_whole_or_fenced() {
    let fenced = JsonFormatOptions {
        fenced: true,
        ..Default::default()
    };
    for (completion, either, only_fenced) in [
        ("{\"a\": [1, 2.5e3, null]}", 1.0, 0.0),
        (" 4 ", 1.0, 0.0),
        ("here:\n```json\n{\"a\": 1}\n```\nok", 1.0, 1.0),
        ("```\n{\"a\": 1}\n``` or ```\n{\"a\": \n```", 0.0, 0.0),
        ("{'a': 1}", 0.0, 0.0),
        ("{\"a\": 1,}", 0.0, 0.0),
        ("{} {}", 0.0, 0.0),
        ("NaN", 0.0, 0.0),
        ("", 0.0, 0.0),
    ] {
        assert_eq!(
            reward(&json(Default::default()), "", completion),
            either,
            "{completion}"
        );
        assert_eq!(
            reward(&json(fenced.clone()), "", completion),
            only_fenced,
            "{completion}"
        );
    }
    let place = TextExtraction::AfterTag("</think>".into());
    let after = json(JsonFormatOptions {
        extraction: place,
        ..Default::default()
    });
    assert_eq!(reward(&after, "", "<think>{</think> {}"), 1.0);
    assert_eq!(reward(&after, "", "{}"), 0.0);
    // The parser gives up before the stack does.
    assert_eq!(
        reward(&after, "", &format!("</think>{}", "[".repeat(1_000_000))),
        0.0
    );
}

#[cfg(not(feature = "json-schema"))]
#[test]
fn a_schema_needs_the_feature() {
    let schema = Some(serde_json::json!({}));
    let error = JsonFormat::new(JsonFormatOptions {
        schema,
        ..Default::default()
    })
    .unwrap_err();
    assert!(error.to_string().contains("json-schema"), "{error}");
}

#[cfg(feature = "json-schema")]
#[test]
fn json_meets_a_schema() {
    use serde_json::json as value;

    let with = |schema| {
        JsonFormat::new(JsonFormatOptions {
            schema: Some(schema),
            ..Default::default()
        })
    };
    let person = with(value!({
        "type": "object",
        "required": ["name", "age"],
        "properties": {
            "name": {"type": "string", "pattern": "^(a*)*$"},
            "age": {"type": "integer", "minimum": 0},
        },
        "additionalProperties": false,
    }))
    .unwrap();
    for (completion, expected) in [
        (r#"{"name": "aa", "age": 3}"#, 1.0),
        (r#"{"name": "aa", "age": -3}"#, 0.0),
        (r#"{"name": "aa"}"#, 0.0),
        (r#"{"name": "aa", "age": 3, "x": 0}"#, 0.0),
        (r#"["aa", 3]"#, 0.0),
    ] {
        assert_eq!(reward(&person, "", completion), expected, "{completion}");
    }
    // A pattern on which engines with backtracking take for ever.
    let evil = value!({"name": "a".repeat(100_000) + "b", "age": 3}).to_string();
    assert_eq!(reward(&person, "", &evil), 0.0);
    let said = person.explain(&problem(""), r#"{"name": "aa", "age": -3}"#);
    assert!(
        said.why.starts_with("/age does not meet the schema"),
        "{}",
        said.why
    );
    for bad in [
        value!({"type": "objekt"}),
        value!({"$ref": "http://127.0.0.1:1/x.json"}),
    ] {
        let error = with(bad).unwrap_err();
        assert_eq!((error.verifier, error.option), ("json_format", "schema"));
    }
}
