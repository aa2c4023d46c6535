//! How texts begin and turns end: what the checks find, and that nothing is doubled.

use equipoise_data::Tokenizer;
use equipoise_data::chat::{
    ChatMessage, ChatTemplate, Conversation, Diagnostic, GenerationConfig, MaskOptions, Severity,
    SpecialTokens,
};

use crate::chat_golden::{folder, is_qwen, template, tokenizer};

const FAMILIES: [&str; 4] = ["chatml", "qwen2.5", "qwen3", "llama3"];

fn with_eos(family: &str, eos: &str) -> Tokenizer {
    let file = if is_qwen(family) { "qwen" } else { "llama3" };
    let path = folder().join(format!("chat/{file}.tokenizer.json"));
    Tokenizer::load(path, Some(eos)).unwrap()
}

fn id(tokenizer: &Tokenizer, text: &str) -> u32 {
    tokenizer.id(text).unwrap()
}

#[test]
fn matching_families_have_nothing_wrong() {
    for family in FAMILIES {
        let tokenizer = tokenizer(family);
        for template in [
            ChatTemplate::builtin(family).unwrap(),
            template(family, &format!("{family}.jinja")),
        ] {
            let config = GenerationConfig {
                eos: vec![tokenizer.eos()],
                ..Default::default()
            };
            let found = template.check(&tokenizer, Some(&config));
            let expected: &[Diagnostic] = if family == "llama3" {
                &[Diagnostic::BosTwice {
                    bos: "<|begin_of_text|>".into(),
                }]
            } else {
                &[]
            };
            assert_eq!(found, expected, "{family}");
        }
    }
}

#[test]
fn there_is_one_beginning_of_sequence() {
    let (llama, begin) = (tokenizer("llama3"), "<|begin_of_text|>");
    let bos = id(&llama, begin);
    let conversation = Conversation::from(vec![
        ChatMessage::new("user", "Hello"),
        ChatMessage::new("assistant", "I am fine."),
    ]);
    let count = |tokens: &[u32]| tokens.iter().filter(|&&token| token == bos).count();
    for template in [
        ChatTemplate::builtin("llama3").unwrap(),
        template("llama3", "llama3.jinja"),
        template("llama3", "dated.jinja"),
    ] {
        let encoded = template
            .encode(&llama, &conversation, MaskOptions::default())
            .unwrap();
        assert_eq!((encoded.tokens[0], count(&encoded.tokens)), (bos, 1));
    }
    // The post-processor of the file would put one in front of every text, also of one that has it.
    assert_eq!(llama.post_processor_tokens(), [bos]);
    let path = folder().join("chat/llama3.tokenizer.json");
    let library = tokenizers::Tokenizer::from_file(path).unwrap();
    let doubled = library.encode(format!("{begin}Hello"), true).unwrap();
    assert_eq!(count(doubled.get_ids()), 2);
    assert_eq!(count(&llama.encode(&format!("{begin}Hello")).unwrap()), 1);
    assert_eq!(count(&llama.encode("Hello").unwrap()), 0);
    // It is still there when the tokenizer is written again.
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("tokenizer.json");
    llama.save(&copy).unwrap();
    let again = tokenizers::Tokenizer::from_file(&copy).unwrap();
    assert_eq!(again.encode("Hello", true).unwrap().get_ids()[0], bos);
    assert_eq!(
        Tokenizer::load(&copy, None).unwrap().to_json().unwrap(),
        llama.to_json().unwrap()
    );
}

#[test]
fn a_double_beginning_is_found() {
    let llama = tokenizer("llama3");
    let tokens = ChatTemplate::builtin("llama3")
        .unwrap()
        .special_tokens()
        .clone();
    let source = "{{ bos_token }}{{ bos_token }}{% for m in messages %}{{ m.content }}\
                  {{ eos_token }}{% endfor %}";
    let template = ChatTemplate::new(source, tokens.clone()).unwrap();
    let bos = tokens.bos.clone().unwrap();
    let double = Diagnostic::DoubleBos {
        bos: bos.clone(),
        count: 2,
    };
    assert!(template.check(&llama, None).contains(&double));
    assert_eq!(double.severity(), Severity::Error);
    // Also where a message brings the second.
    let template = ChatTemplate::new("{{ bos_token }}{{ messages[0].content }}", tokens).unwrap();
    let conversation = Conversation::from(vec![ChatMessage::new("user", format!("{bos}Hi"))]);
    let encoded = template
        .encode(&llama, &conversation, MaskOptions::default())
        .unwrap();
    let found = template.check_conversation(&llama, &conversation, &encoded);
    assert!(found.contains(&double), "{found:?}");
    let inside = Diagnostic::SpecialTokenInContent {
        message: 0,
        token: bos,
    };
    assert!(
        found.contains(&inside) && found.contains(&Diagnostic::NoLoss),
        "{found:?}"
    );
}

#[test]
fn an_end_that_sampling_does_not_wait_for_is_found() {
    let template = ChatTemplate::builtin("qwen2.5").unwrap();
    let tokenizer = with_eos("qwen2.5", "<|endoftext|>");
    let (eos, end) = ("<|endoftext|>".to_owned(), "<|im_end|>".to_owned());
    let mismatch = |by| Diagnostic::EosMismatch {
        by,
        eos: eos.clone(),
        end: end.clone(),
    };
    assert_eq!(template.check(&tokenizer, None), [mismatch("tokenizer")]);
    // A base model's configuration: the end of sequence ends documents, not turns.
    let tokens = SpecialTokens {
        eos: Some(eos.clone()),
        pad: Some(eos.clone()),
        ..SpecialTokens::default()
    };
    let base = template.clone().with_special_tokens(tokens);
    let config = GenerationConfig {
        eos: vec![id(&tokenizer, &eos)],
        ..GenerationConfig::default()
    };
    let found = base.check(&tokenizer, Some(&config));
    let listed = vec![eos.clone()];
    assert_eq!(
        found,
        [
            Diagnostic::PadIsEos { token: eos.clone() },
            mismatch("tokenizer"),
            mismatch("tokenizer_config.json"),
            Diagnostic::EosNotListed {
                end: end.clone(),
                listed
            },
        ]
    );
    // The instruct models list both.
    let right = with_eos("qwen2.5", "<|im_end|>");
    let both = GenerationConfig {
        eos: vec![id(&right, &end), id(&right, &eos)],
        pad: Some(id(&right, &eos)),
        bos: None,
    };
    assert_eq!(template.check(&right, Some(&both)), []);
    let padded = GenerationConfig {
        pad: Some(id(&right, &end)),
        ..both
    };
    assert_eq!(
        template.check(&right, Some(&padded)),
        [Diagnostic::PadIsEos { token: end }]
    );
}

#[test]
fn a_turn_without_an_end_is_found() {
    let tokenizer = tokenizer("chatml");
    let eos = "<|im_end|>".to_owned();
    let tokens = SpecialTokens {
        eos: Some(eos.clone()),
        ..SpecialTokens::default()
    };
    let check = |source: &str| {
        ChatTemplate::new(source, tokens.clone())
            .unwrap()
            .check(&tokenizer, None)
    };
    let each = |inner: &str| format!("{{% for m in messages %}}{inner}{{% endfor %}}");
    let absent = Diagnostic::EosAbsent { eos: eos.clone() };
    assert_eq!(
        check(&each("{{ m.role + ':' + m.content + '\n' }}")),
        [absent]
    );
    // The token is there, but the marks leave it out.
    let outside = each("{% generation %}{{ m.content }}{% endgeneration %}{{ eos_token }}");
    assert_eq!(
        check(&outside),
        [Diagnostic::EosNeverTrained { eos: eos.clone() }]
    );
    // The marks of TRL's variants take in the line break behind it.
    let behind = each("{% generation %}{{ m.content + eos_token + '\n' }}{% endgeneration %}");
    let text = "\n".to_owned();
    assert_eq!(
        check(&behind),
        [Diagnostic::LossBehindEnd { end: eos, text }]
    );
    let nothing =
        each("{{ m.content }}{% if false %}{% generation %}{% endgeneration %}{% endif %}");
    assert_eq!(check(&nothing), [Diagnostic::NoLoss]);
    match &check("{{ raise_exception('never') }}")[..] {
        [Diagnostic::NotChecked { why }] => assert!(why.contains("never")),
        other => panic!("{other:?}"),
    }
}

#[test]
fn special_tokens_that_are_none_are_found() {
    let llama = tokenizer("llama3");
    let found = ChatTemplate::builtin("chatml").unwrap().check(&llama, None);
    for missing in [
        Diagnostic::NoSuchToken {
            name: "eos_token",
            token: "<|im_end|>".into(),
        },
        Diagnostic::NoSuchToken {
            name: "pad_token",
            token: "<|endoftext|>".into(),
        },
        Diagnostic::BosMissing {
            bos: "<|begin_of_text|>".into(),
        },
        Diagnostic::EosAbsent {
            eos: "<|eot_id|>".into(),
        },
    ] {
        assert!(found.contains(&missing), "{missing} is not in {found:?}");
        assert!(missing.severity() >= Severity::Warning);
    }
    assert_eq!(found.len(), 4, "{found:?}");
}

#[test]
fn offsets_are_whole_where_the_file_trims_them() {
    let llama = tokenizer("llama3");
    let text = "Hello there,  how\n\nare you? 你好🦀";
    let (tokens, offsets) = llama.encode_with_offsets(text).unwrap();
    assert_eq!(tokens, llama.encode(text).unwrap());
    // Byte by byte the tokens cover the text, white space included.
    let mut end = 0;
    for offset in &offsets {
        assert!(offset.start <= end && offset.end >= end, "{offsets:?}");
        end = offset.end;
    }
    assert_eq!(end, text.len());
    assert!(
        offsets
            .iter()
            .any(|offset| text[offset.clone()].starts_with(' '))
    );
}
