//! Tokenizers: round trips, unknown characters, and files.

use std::fs;

use equipoise_data::{Arithmetic, EOS, Task, Tokenizer, TokenizerError};
use proptest::prelude::*;

fn small() -> Tokenizer {
    Tokenizer::from_alphabet(&["1", "2", "<think>", "+", "</think>", " ", "é"], EOS).unwrap()
}

/// The character and position of an error.
fn unknown(result: Result<Vec<u32>, TokenizerError>) -> (char, usize) {
    match result {
        Err(TokenizerError::UnknownCharacter {
            character,
            position,
        }) => (character, position),
        other => panic!("{other:?}"),
    }
}

#[test]
fn ids_are_specials_first_in_the_order_given() {
    let tokenizer = small();
    let tokens: Vec<String> = (0..8).map(|id| tokenizer.token(id).unwrap()).collect();
    let expected = ["<eos>", "<think>", "</think>", "1", "2", "+", " ", "é"];
    assert_eq!(tokens, expected);
    assert_eq!(tokenizer.vocab_size(), 8);
    assert_eq!(tokenizer.eos(), 0);
    assert_eq!(tokenizer.token(8), None);
    assert_eq!(tokenizer.id("+"), Some(5));
    assert_eq!(tokenizer.id("3"), None);
    // Listed symbols keep their place, the end of sequence included; repeats do not count.
    let listed = Tokenizer::from_alphabet(&["a", "<x>", "a", "E", "<x>"], "E").unwrap();
    assert_eq!(listed.encode("<x>Ea").unwrap(), [0, 1, 2]);
    assert_eq!((listed.vocab_size(), listed.eos()), (3, 1));
}

#[test]
fn text_comes_back() {
    let tokenizer = small();
    let text = "1+2<think> é1</think>2";
    let ids = tokenizer.encode(text).unwrap();
    assert_eq!(ids, [3, 5, 4, 1, 6, 7, 3, 2, 4]);
    assert_eq!(tokenizer.decode(&ids), text);
    assert_eq!(tokenizer.encode("").unwrap(), [0_u32; 0]);
    assert_eq!(tokenizer.decode(&[]), "");
}

#[test]
fn the_end_of_sequence_is_left_out_or_kept() {
    let tokenizer = small();
    assert_eq!(tokenizer.decode(&[3, 0, 0]), "1");
    assert_eq!(tokenizer.decode_with_eos(&[3, 0]), "1<eos>");
    assert_eq!(tokenizer.decode(&[3, 99, 4]), "1\u{FFFD}2");
}

#[test]
fn unknown_characters_are_named_with_their_position() {
    let tokenizer = small();
    assert_eq!(unknown(tokenizer.encode("1é3+")), ('3', 2));
    assert_eq!(unknown(tokenizer.encode("\u{1}1 ")), ('\u{1}', 0));
    assert_eq!(unknown(tokenizer.encode("<think>1\t2 ")), ('\t', 8));
    assert_eq!(unknown(tokenizer.encode("12<")), ('<', 2));
    // The library drops the one-byte `/` and gives the two bytes of `é` the offsets of both.
    assert_eq!(unknown(tokenizer.encode("/é")), ('/', 0));
    let message = tokenizer.encode("1x").unwrap_err().to_string();
    assert_eq!(
        message,
        "character 'x' at position 1 is not in the vocabulary"
    );
    let none = Tokenizer::from_alphabet(&["", "a"], EOS).unwrap_err();
    assert!(matches!(none, TokenizerError::EmptySymbol));
}

#[test]
fn the_file_is_read_by_the_library_itself() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    let alphabet = Arithmetic::difficulty(6).alphabet();
    let tokenizer = Tokenizer::from_alphabet(&alphabet, EOS).unwrap();
    tokenizer.save(&path).unwrap();
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(names.len(), 1, "{names:?}");

    let text = "17+25=<think>17+25:7+5=12,1+2+1=4>42</think>42<eos>";
    let ids = tokenizer.encode(text).unwrap();
    let library = tokenizers::Tokenizer::from_file(&path).unwrap();
    assert_eq!(library.encode(text, false).unwrap().get_ids(), ids);
    assert_eq!(library.decode(&ids, false).unwrap(), text);

    let loaded = Tokenizer::load(&path, None).unwrap();
    assert_eq!(loaded.eos(), tokenizer.eos());
    assert_eq!(loaded.encode(text).unwrap(), ids);
    assert_eq!(loaded.to_json().unwrap(), tokenizer.to_json().unwrap());
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        tokenizer.to_json().unwrap()
    );
}

#[test]
fn files_that_cannot_be_used_say_why() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    let missing = Tokenizer::load(&path, None).unwrap_err();
    assert!(matches!(missing, TokenizerError::Io { .. }), "{missing}");
    assert!(missing.to_string().contains("tokenizer.json"));

    fs::write(&path, b"{\"model\": 3}").unwrap();
    let broken = Tokenizer::load(&path, None).unwrap_err();
    assert!(matches!(broken, TokenizerError::Format { .. }), "{broken}");

    let strange = Tokenizer::from_alphabet(&["a"], "<fin>").unwrap();
    strange.save(&path).unwrap();
    let no_eos = Tokenizer::load(&path, None).unwrap_err().to_string();
    assert!(
        no_eos.contains("<|im_end|>") && no_eos.contains("name the one"),
        "{no_eos}"
    );
    assert_eq!(Tokenizer::load(&path, Some("<fin>")).unwrap().eos(), 0);
    assert!(Tokenizer::load(&path, Some("<nil>")).is_err());

    let nowhere = folder.path().join("none").join("tokenizer.json");
    assert!(matches!(
        strange.save(&nowhere),
        Err(TokenizerError::Io { .. })
    ));
}

/// A word-level tokenizer as other tools write it: an unknown-token, a template that adds a
/// beginning of sequence, truncation and padding.
const FOREIGN: &str = r#"{
  "version": "1.0",
  "truncation": {"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0},
  "padding": {"strategy": {"Fixed": 9}, "direction": "Right", "pad_to_multiple_of": null,
              "pad_id": 0, "pad_type_id": 0, "pad_token": "<unk>"},
  "added_tokens": [{"id": 4, "content": "</s>", "single_word": false, "lstrip": false,
                    "rstrip": false, "normalized": false, "special": true}],
  "normalizer": null,
  "pre_tokenizer": {"type": "Whitespace"},
  "post_processor": {"type": "TemplateProcessing",
    "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
    "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
    "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}},
  "decoder": null,
  "model": {"type": "WordLevel", "vocab": {"<unk>": 0, "<s>": 1, "ab": 2, "a": 3, "</s>": 4, "b": 5},
            "unk_token": "<unk>"}
}"#;

#[test]
fn nothing_is_added_or_cut_for_a_foreign_tokenizer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    fs::write(&path, FOREIGN).unwrap();
    let tokenizer = Tokenizer::load(&path, None).unwrap();
    assert_eq!(tokenizer.eos(), 4);
    assert_eq!(tokenizer.vocab_size(), 6);
    assert_eq!(tokenizer.encode("ab.a").ok(), None);
    assert_eq!(unknown(tokenizer.encode("abcab")), ('c', 2));
    assert_eq!(unknown(tokenizer.encode("abba")), ('a', 0));
    // White space that the tokenizer drops is dropped text as well.
    assert_eq!(unknown(tokenizer.encode("ab a")), (' ', 2));
}

/// A byte-level tokenizer, the kind of the GPT, Llama 3 and Qwen models, whose offsets leave white
/// space out.
#[test]
fn byte_level_tokenizers_read_everything() {
    use tokenizers::models::bpe::{BPE, Vocab};
    use tokenizers::pre_tokenizers::byte_level::ByteLevel;
    let mut bytes: Vec<char> = ByteLevel::alphabet().into_iter().collect();
    bytes.sort_unstable();
    let vocabulary: Vocab = bytes.iter().map(char::to_string).zip(0..).collect();
    let model = BPE::builder()
        .vocab_and_merges(vocabulary, vec![])
        .build()
        .unwrap();
    let mut library = tokenizers::Tokenizer::new(model);
    let level = ByteLevel::new(false, true, true);
    library.with_pre_tokenizer(Some(level));
    library.with_post_processor(Some(level));
    library.with_decoder(Some(level));
    let eos = tokenizers::AddedToken::from("<|im_end|>", true);
    library.add_special_tokens([eos]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    library.save(&path, false).unwrap();

    let tokenizer = Tokenizer::load(&path, None).unwrap();
    assert_eq!((tokenizer.eos(), tokenizer.vocab_size()), (256, 257));
    let text = " Ein  Äpfelchen\n\t中🙂 ";
    let ids = tokenizer.encode(text).unwrap();
    assert_eq!(ids.len(), text.len());
    assert_eq!(tokenizer.decode(&ids), text);
}

proptest! {
    #[test]
    fn every_text_comes_back_or_is_an_error(text in "[12+ é<>a/]{0,12}|\\PC{0,8}") {
        let tokenizer = small();
        match tokenizer.encode(&text) {
            Ok(ids) => prop_assert_eq!(tokenizer.decode_with_eos(&ids), text),
            Err(TokenizerError::UnknownCharacter { character, position }) => {
                prop_assert_eq!(text.chars().nth(position), Some(character));
                let known = ['1', '2', '+', ' ', 'é'].contains(&character);
                prop_assert!(!known);
            }
            Err(other) => prop_assert!(false, "{}", other),
        }
    }

    #[test]
    fn decoding_never_panics(ids in proptest::collection::vec(any::<u32>(), 0..20)) {
        let text = small().decode_with_eos(&ids);
        prop_assert!(text.chars().count() >= ids.len());
    }
}

#[test]
fn bytes_stand_for_any_text_and_survive_their_file() {
    let tokenizer = Tokenizer::bytes().unwrap();
    assert_eq!(tokenizer.vocab_size(), 257);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokenizer.json");
    tokenizer.save(&path).unwrap();
    let loaded = Tokenizer::load(&path, None).unwrap();
    for text in ["", " a  b\n", "ÄÖ½ 三 \u{1f600}", "\0\u{7f}", "x<eos>y"] {
        let tokens = tokenizer.encode(text).unwrap();
        assert_eq!(loaded.encode(text).unwrap(), tokens);
        assert_eq!(tokenizer.decode_with_eos(&tokens), text);
        if !text.contains('<') {
            assert_eq!(tokens.len(), text.len());
        }
    }
}
