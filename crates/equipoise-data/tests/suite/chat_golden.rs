//! Chat templates against transformers: texts, tokens and masks of `fixtures/chat.py`.

use std::fs;
use std::path::PathBuf;

use equipoise_data::Tokenizer;
use equipoise_data::chat::{
    ChatMessage, ChatTemplate, ChatTemplateError, Conversation, Ending, Located, MaskOptions,
    SpecialTokens,
};
use serde::Deserialize;
use serde_json::{Map, Value};

/// A row of `chat.json`.
#[derive(Debug, Deserialize)]
pub(crate) struct Case {
    pub(crate) family: String,
    pub(crate) name: String,
    messages: Value,
    tools: Option<Vec<Value>>,
    #[serde(default)]
    variables: Map<String, Value>,
    error: Option<String>,
    #[serde(default)]
    pub(crate) text: String,
    #[serde(default)]
    tokens: Vec<u32>,
    #[serde(default)]
    prompt: String,
    continued: Option<String>,
    mask: Option<String>,
    training_mask: Option<String>,
    training_tokens: Option<Vec<u32>>,
}

impl Case {
    pub(crate) fn conversation(&self) -> Conversation {
        Conversation {
            messages: ChatMessage::list(&self.messages).unwrap(),
            tools: self.tools.clone(),
            variables: self.variables.clone(),
        }
    }

    fn place(&self) -> String {
        format!("{} {}", self.family, self.name)
    }
}

pub(crate) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

pub(crate) fn cases() -> Vec<Case> {
    let text = fs::read_to_string(folder().join("chat.json")).unwrap();
    let cases: Vec<Case> = serde_json::from_str(&text).unwrap();
    assert_eq!(cases.len(), 80);
    cases
}

pub(crate) fn is_qwen(family: &str) -> bool {
    matches!(family, "chatml" | "qwen2.5" | "qwen3")
}

pub(crate) fn tokenizer(family: &str) -> Tokenizer {
    let (file, eos) = if is_qwen(family) {
        ("qwen", "<|im_end|>")
    } else {
        ("llama3", "<|eot_id|>")
    };
    let path = folder().join(format!("chat/{file}.tokenizer.json"));
    Tokenizer::load(path, Some(eos)).unwrap()
}

/// The template of a file, with the special tokens of its family.
pub(crate) fn template(family: &str, file: &str) -> ChatTemplate {
    let source = fs::read_to_string(folder().join("chat").join(file)).unwrap();
    let like = if is_qwen(family) { "chatml" } else { "llama3" };
    let tokens: SpecialTokens = ChatTemplate::builtin(like)
        .unwrap()
        .special_tokens()
        .clone();
    let template = ChatTemplate::new(source, tokens).unwrap();
    template.with_date("2026-11-04").unwrap()
}

fn published(family: &str) -> ChatTemplate {
    template(family, &format!("{family}.jinja"))
}

fn bits(mask: &[bool]) -> String {
    mask.iter()
        .map(|&one| if one { '1' } else { '0' })
        .collect()
}

#[test]
fn texts_and_tokens_are_those_of_transformers() {
    let mut continued = 0;
    for case in cases() {
        let (place, conversation) = (case.place(), case.conversation());
        let mut templates = vec![published(&case.family)];
        if case.mask.is_some() {
            templates.push(ChatTemplate::builtin(&case.family).unwrap());
        }
        for template in templates {
            let render = |ending| template.render_conversation(&conversation, ending);
            if case.error.is_some() {
                assert!(render(Ending::Message).is_err(), "{place}");
                continue;
            }
            assert_eq!(render(Ending::Message).unwrap(), case.text, "{place}");
            assert_eq!(
                render(Ending::GenerationPrompt).unwrap(),
                case.prompt,
                "{place}"
            );
            if let Some(text) = &case.continued {
                assert_eq!(&render(Ending::Continue).unwrap(), text, "{place}");
                continued += 1;
            }
            let tokens = tokenizer(&case.family).encode(&case.text).unwrap();
            assert_eq!(tokens, case.tokens, "{place}");
        }
    }
    assert_eq!(continued, 132);
}

#[test]
fn what_cannot_be_continued_is_refused() {
    // transformers: "the final message has no "content" to continue", and "the final message does
    // not appear in the chat after applying the chat template".
    let call = ChatMessage::new("assistant", "").with("content", Value::Null);
    let silent = ChatTemplate::new("{{ messages | length }}content", SpecialTokens::default());
    for (template, last) in [
        (ChatTemplate::builtin("qwen3").unwrap(), call),
        (silent.unwrap(), ChatMessage::new("assistant", "Hello")),
    ] {
        let conversation = Conversation::from(vec![ChatMessage::new("user", "Hi"), last]);
        let error = template.render_conversation(&conversation, Ending::Continue);
        assert!(
            matches!(error, Err(ChatTemplateError::Continue { .. })),
            "{error:?}"
        );
    }
    // Parts are continued behind the last text.
    let parts = serde_json::json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]);
    let source = "{% for m in messages %}{% for part in m.content %}<{{ part.text }}>{% endfor %}{% endfor %}";
    let template = ChatTemplate::new(source, SpecialTokens::default()).unwrap();
    let message = ChatMessage::new("assistant", "").with("content", parts);
    let conversation = Conversation::from(vec![message]);
    let text = template.render_conversation(&conversation, Ending::Continue);
    assert_eq!(text.unwrap(), "<a><b");
}

#[test]
fn the_words_of_raise_exception_are_kept() {
    let case = cases()
        .into_iter()
        .find(|case| case.name == "refused")
        .unwrap();
    let error = published("strict").render_conversation(&case.conversation(), Ending::Message);
    match error {
        Err(ChatTemplateError::Raised { message }) => {
            assert_eq!(Some(message), case.error);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn masks_of_the_built_in_templates_are_those_of_transformers() {
    let mut compared = 0;
    for case in cases() {
        let Some(mask) = &case.mask else { continue };
        let template = ChatTemplate::builtin(&case.family).unwrap();
        let tokenizer = tokenizer(&case.family);
        let encoded = template.encode(&tokenizer, &case.conversation(), MaskOptions::default());
        let encoded = encoded.unwrap();
        assert_eq!(encoded.located, Located::Markers);
        assert_eq!(&bits(&encoded.loss_mask), mask, "{}", case.place());
        assert_eq!(encoded.tokens, case.tokens, "{}", case.place());
        compared += 1;
    }
    assert_eq!(compared, 71);
}

#[test]
fn renderings_tell_the_same_masks_as_markers() {
    let mut rewritten = Vec::new();
    let mut compared = 0;
    for case in cases() {
        let Some(mask) = &case.mask else { continue };
        let (template, tokenizer) = (published(&case.family), tokenizer(&case.family));
        assert!(!template.has_generation_markers());
        let encoded = template.encode(&tokenizer, &case.conversation(), MaskOptions::default());
        let encoded = match encoded {
            Ok(encoded) => encoded,
            Err(error) => panic!("{}: {error}", case.place()),
        };
        assert_eq!(encoded.located, Located::Renderings);
        assert_eq!(&bits(&encoded.loss_mask), mask, "{}", case.place());
        if encoded.messages.iter().any(|message| message.rewritten) {
            rewritten.push(case.place());
        }
        compared += 1;
    }
    assert_eq!(compared, 71);
    // Qwen3 leaves out the reasoning of turns before the last question, and of those before the
    // last message unless there is some; nothing else is rewritten.
    assert!(
        rewritten.iter().all(|place| place.starts_with("qwen3 ")),
        "{rewritten:?}"
    );
    assert!(
        rewritten.contains(&"qwen3 thinking".to_owned()),
        "{rewritten:?}"
    );
}

#[test]
fn masks_of_trls_training_templates_are_those_of_transformers() {
    let mut compared = 0;
    for case in cases() {
        let Some(mask) = &case.training_mask else {
            continue;
        };
        let template = template(&case.family, &format!("{}.training.jinja", case.family));
        let tokenizer = tokenizer(&case.family);
        let encoded = template.encode(&tokenizer, &case.conversation(), MaskOptions::default());
        let encoded = encoded.unwrap();
        let tokens = case.training_tokens.as_ref().unwrap_or(&case.tokens);
        assert_eq!(&encoded.tokens, tokens, "{}", case.place());
        assert_eq!(&bits(&encoded.loss_mask), mask, "{}", case.place());
        compared += 1;
    }
    assert_eq!(compared, 54);
}
