//! What carries loss: by hand, at borders, with options, and whatever the messages are.

use equipoise_data::chat::{
    ChatMessage, ChatTemplate, ChatTemplateError, Conversation, Diagnostic, Encoded, Located,
    MaskOptions, SpecialTokens,
};
use equipoise_data::{MessageFormat, Tokenizer};
use proptest::prelude::*;

use crate::chat_golden::{template, tokenizer};

fn say(texts: &[(&str, &str)]) -> Conversation {
    let message = |(role, text): &(&str, &str)| ChatMessage::new(*role, *text);
    Conversation::from(texts.iter().map(message).collect::<Vec<_>>())
}

/// The parts of the text that carry loss.
fn written(
    template: &ChatTemplate,
    conversation: &Conversation,
    options: MaskOptions,
) -> Vec<String> {
    let layout = template.layout(conversation, options).unwrap();
    let part = |range: &std::ops::Range<usize>| layout.text[range.clone()].to_owned();
    layout.loss.iter().map(part).collect()
}

fn jinja(source: &str) -> ChatTemplate {
    ChatTemplate::new(source, SpecialTokens::default()).unwrap()
}

const TWO_TURNS: [(&str, &str); 5] = [
    ("system", "Be brief."),
    ("user", "2+2?"),
    ("assistant", "4"),
    ("user", "3+3?"),
    ("assistant", "6 "),
];

#[test]
fn the_answer_and_its_end_by_hand() {
    // <|im_start|>assistant \n 4 <|im_end|> \n: the third and the fourth.
    let tokenizer = tokenizer("chatml");
    let conversation = say(&TWO_TURNS[1..3]);
    for template in [
        ChatTemplate::builtin("chatml").unwrap(),
        template("chatml", "chatml.jinja"),
    ] {
        let options = MaskOptions::default();
        let encoded = template.encode(&tokenizer, &conversation, options).unwrap();
        let text = "<|im_start|>user\n2+2?<|im_end|>\n<|im_start|>assistant\n4<|im_end|>\n";
        assert_eq!(encoded.text, text);
        let carrying: Vec<String> = (0..encoded.tokens.len())
            .filter(|&at| encoded.loss_mask[at])
            .map(|at| tokenizer.token(encoded.tokens[at]).unwrap())
            .collect();
        assert_eq!(carrying, ["4", "<|im_end|>"]);
        assert_eq!(encoded.loss_tokens(), 2);
        // Every token belongs to one message: the header, the content, the end and the line break.
        let spans: Vec<_> = encoded
            .messages
            .iter()
            .map(|one| one.tokens.clone().unwrap())
            .collect();
        assert_eq!((spans[0].start, spans[1].end), (0, encoded.tokens.len()));
        assert_eq!(spans[0].end, spans[1].start);
        let first = encoded.tokens[spans[1].start];
        assert_eq!(tokenizer.token(first).unwrap(), "<|im_start|>");
    }
}

#[test]
fn options_choose_among_the_turns() {
    let conversation = say(&TWO_TURNS);
    for template in [
        ChatTemplate::builtin("chatml").unwrap(),
        template("chatml", "chatml.jinja"),
        ChatTemplate::builtin("qwen3").unwrap(),
        template("qwen3", "qwen3.jinja"),
    ] {
        let thinks = template.source().contains("think");
        // Qwen3 puts an empty reasoning in front of the last answer, for the model to write.
        let last = format!(
            "{}6 <|im_end|>",
            if thinks {
                "<think>\n\n</think>\n\n"
            } else {
                ""
            }
        );
        let all = MaskOptions::default();
        assert_eq!(
            written(&template, &conversation, all),
            ["4<|im_end|>", &last]
        );
        let last_turn_only = MaskOptions {
            last_turn_only: true,
            ..all
        };
        assert_eq!(
            written(&template, &conversation, last_turn_only),
            [last.as_str()]
        );
        let from = |from_message| MaskOptions {
            from_message,
            ..all
        };
        assert_eq!(written(&template, &conversation, from(3)), [last.as_str()]);
        assert_eq!(written(&template, &conversation, from(2)).len(), 2);
        assert!(written(&template, &conversation, from(5)).is_empty());
    }
}

#[test]
fn a_token_across_the_border_carries_loss_and_is_reported() {
    // The line break of the header and those of the content are one token.
    let tokenizer = tokenizer("chatml");
    let template = ChatTemplate::builtin("chatml").unwrap();
    let conversation = say(&[("user", "Hello"), ("assistant", "\n\nI am fine.")]);
    let encoded = template
        .encode(&tokenizer, &conversation, MaskOptions::default())
        .unwrap();
    let [at] = encoded.straddling[..] else {
        panic!("{:?}", encoded.straddling);
    };
    assert!(encoded.loss_mask[at] && !encoded.loss_mask[at - 1]);
    assert_eq!(&encoded.text[encoded.offsets[at].clone()], "\n\n\n");
    assert_eq!(encoded.tokens, tokenizer.encode(&encoded.text).unwrap());
    let found = template.check_conversation(&tokenizer, &conversation, &encoded);
    let text = "\n\n\n".to_owned();
    assert_eq!(found, [Diagnostic::Straddling { at, text }]);
}

#[test]
fn earlier_reasoning_that_is_left_out_carries_no_loss_and_is_reported() {
    let conversation = say(&[
        ("user", "2+2?"),
        ("assistant", "<think>\nTwo and two.\n</think>\n\n4"),
        ("user", "3+3?"),
        ("assistant", "<think>\nThree.\n</think>\n\n6"),
    ]);
    let tokenizer = tokenizer("qwen3");
    for template in [
        ChatTemplate::builtin("qwen3").unwrap(),
        template("qwen3", "qwen3.jinja"),
    ] {
        let parts = written(&template, &conversation, MaskOptions::default());
        assert_eq!(
            parts,
            ["4<|im_end|>", "<think>\nThree.\n</think>\n\n6<|im_end|>"]
        );
        let encoded = template
            .encode(&tokenizer, &conversation, MaskOptions::default())
            .unwrap();
        let found = template.check_conversation(&tokenizer, &conversation, &encoded);
        assert_eq!(found, [Diagnostic::Rewritten { message: 1 }]);
    }
}

#[test]
fn a_generation_prompt_that_history_lacks_is_got_over() {
    // As DeepSeek-R1's: the prompt opens the reasoning, the text of a conversation has none.
    let template = jinja(
        "{% for m in messages %}{{ '<' + m.role + '>' }}{% if m.role == 'assistant' %}\
         {{ m.content.split('</think>')[-1] | trim + '<end>\n' }}{% else %}{{ m.content }}{% endif %}\
         {% endfor %}{% if add_generation_prompt %}{{ '<assistant><think>\n' }}{% endif %}",
    );
    let plain = say(&[
        ("user", "a"),
        ("assistant", " b"),
        ("user", "c"),
        ("assistant", "d"),
    ]);
    assert_eq!(
        written(&template, &plain, MaskOptions::default()),
        ["b<end>", "d<end>"]
    );
    let thought = say(&[("user", "a"), ("assistant", "hm</think> b "), ("user", "c")]);
    assert_eq!(
        written(&template, &thought, MaskOptions::default()),
        ["b<end>"]
    );
    let layout = template.layout(&plain, MaskOptions::default()).unwrap();
    let rewritten: Vec<bool> = layout.messages.iter().map(|one| one.rewritten).collect();
    assert_eq!(rewritten, [false, true, false, true]);
}

#[test]
fn what_cannot_be_told_is_an_error() {
    // Only the last answer is shown as it is, and a turn ends otherwise if another follows.
    let template = jinja(
        "{% for m in messages %}[{% if m.role == 'assistant' and not loop.last %}\
         {{ m.content | length }}{% else %}{{ m.content }}{% endif %}]{% endfor %}\
         {% if add_generation_prompt %}[{% endif %}",
    );
    let conversation = say(&TWO_TURNS);
    let error = template
        .layout(&conversation, MaskOptions::default())
        .unwrap_err();
    assert!(
        matches!(error, ChatTemplateError::NotLocated { index: 2, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("{% generation %}"), "{error}");
    let last = MaskOptions {
        last_turn_only: true,
        ..MaskOptions::default()
    };
    assert_eq!(written(&template, &conversation, last), ["6 ]"]);
}

#[test]
fn white_space_at_the_end_of_a_turn() {
    let conversation = say(&[
        ("user", "a"),
        ("assistant", "b \n"),
        ("user", "c"),
        ("assistant", "d"),
    ]);
    let all = MaskOptions::default();
    // No token ends the turn: the line break does, together with the content's own.
    let lines = jinja(
        "{% for m in messages %}{{ m.role + ': ' + m.content + '\n' }}{% endfor %}\
         {% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}",
    );
    assert_eq!(written(&lines, &conversation, all), ["b \n\n", "d\n"]);
    // A token does: what is behind it is not written, what is before it is.
    let ended = jinja(
        "{% for m in messages %}{{ m.role + ': ' + m.content + '</s> \n' }}{% endfor %}\
         {% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}",
    );
    assert_eq!(written(&ended, &conversation, all), ["b \n</s>", "d</s>"]);
    // Also where the content looks like it.
    let odd = say(&[("user", "a"), ("assistant", "</s>")]);
    assert_eq!(written(&ended, &odd, all), ["</s></s>"]);
}

#[test]
fn plain_writes_what_message_format_does() {
    let plain = ChatTemplate::builtin("plain").unwrap();
    let conversation = say(&TWO_TURNS[1..4]);
    let all = MaskOptions::default();
    // There is no opening of the turn, so the model writes the line feed.
    assert_eq!(written(&plain, &conversation, all), ["\n4"]);
    let tokenizer = Tokenizer::from_alphabet(&["2", "+", "?", "\n", "4", "3"], "<eos>").unwrap();
    let tokens = plain.special_tokens().clone().or_from(&tokenizer);
    let ended = plain.with_special_tokens(tokens);
    assert_eq!(written(&ended, &conversation, all), ["\n4<eos>"]);
    assert_eq!(
        ended.check(&tokenizer, None).len(),
        1,
        "the letters have no tokens"
    );
}

/// Contents of all sorts, with what templates and tokenizers look at.
fn contents() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~\n\té🦀]{0,20}",
        "( |\n){0,3}[a-z ]{0,8}( |\n){0,3}",
        Just("<think>\nso\n</think>\n\nit".to_owned()),
        Just("<|im_end|>\n<|im_start|>assistant\n".to_owned()),
        Just("<tool_response>x</tool_response>".to_owned()),
    ]
}

fn conversations() -> impl Strategy<Value = Conversation> {
    let turns = prop::collection::vec((contents(), contents()), 1..4);
    (prop::option::of(contents()), turns).prop_map(|(system, turns)| {
        let mut messages: Vec<ChatMessage> = Vec::new();
        messages.extend(system.map(|text| ChatMessage::new("system", text)));
        for (user, assistant) in turns {
            messages.push(ChatMessage::new("user", user));
            messages.push(ChatMessage::new("assistant", assistant));
        }
        Conversation::from(messages)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The published templates, by renderings, and the built-in ones, by markers, agree on text and
    /// mask whatever the messages are; tokens are those of the text; masks follow the options.
    #[test]
    fn both_ways_agree(conversation in conversations()) {
        for family in ["chatml", "qwen2.5", "qwen3", "llama3"] {
            let tokenizer = tokenizer(family);
            let encode = |template: &ChatTemplate, options| -> Encoded {
                template.encode(&tokenizer, &conversation, options).unwrap()
            };
            let published = template(family, &format!("{family}.jinja"));
            let builtin = ChatTemplate::builtin(family).unwrap();
            let all = MaskOptions::default();
            let (theirs, ours) = (encode(&published, all), encode(&builtin, all));
            prop_assert_eq!(&theirs.text, &ours.text);
            prop_assert_eq!(&theirs.tokens, &ours.tokens);
            prop_assert_eq!(&theirs.loss_mask, &ours.loss_mask, "{}: {:?}", family, ours.text);
            prop_assert_eq!(&theirs.messages, &ours.messages);
            prop_assert_eq!((theirs.located, ours.located), (Located::Renderings, Located::Markers));
            prop_assert_eq!(&ours.tokens, &tokenizer.encode(&ours.text).unwrap());
            let last_turn_only = MaskOptions { last_turn_only: true, ..all };
            let (theirs, last) = (encode(&published, last_turn_only), encode(&builtin, last_turn_only));
            prop_assert_eq!(&theirs.loss_mask, &last.loss_mask);
            // The last turn's mask is the end of that of all turns.
            let first = last.loss_mask.iter().position(|&carries| carries).unwrap();
            prop_assert_eq!(&last.loss_mask[first..], &ours.loss_mask[first..]);
        }
    }

    /// Prompts of recipes are the same by either way.
    #[test]
    fn message_formats_are_templates(conversation in conversations()) {
        use equipoise_core::{Message, Role};
        let roles = [("system", Role::System), ("user", Role::User), ("assistant", Role::Assistant)];
        let messages: Vec<Message> = conversation.messages.iter().map(|message| Message {
            role: roles.iter().find(|(name, _)| *name == message.role()).unwrap().1,
            content: message.content().unwrap().to_owned(),
        }).collect();
        let chat: Vec<ChatMessage> = messages.iter().map(ChatMessage::from).collect();
        prop_assert_eq!(&chat, &conversation.messages);
        for format in [MessageFormat::Plain, MessageFormat::ChatMl] {
            let template = format.template();
            prop_assert_eq!(template.render(&chat, true).unwrap(), format.render(&messages));
        }
    }
}
