//! Scripts and languages.

use equipoise_verifiers::{Language, LanguageOptions, Verifier};
use proptest::prelude::*;

use crate::{problem, reward};

fn scripts(names: &[&str], min_share: Option<f64>) -> Language {
    let scripts = names.iter().map(|&name| name.to_owned()).collect();
    Language::new(LanguageOptions { scripts, min_share }).unwrap()
}

#[test]
fn shares_by_hand() {
    let latin = scripts(&["Latin"], None);
    for (completion, expected) in [
        ("so 2 + 2 = 4", 1.0),
        ("да", 0.0),
        ("xда", 1.0 / 3.0),
        ("ñé中文", 0.5),
        ("12 + 3!", 1.0),
        ("", 1.0),
    ] {
        assert_eq!(reward(&latin, "", completion), expected, "{completion}");
    }
    let japanese = scripts(&["Han", "Hiragana", "Katakana"], None);
    assert_eq!(reward(&japanese, "", "漢字とカナ"), 1.0);
    assert_eq!(reward(&scripts(&["Han"], None), "", "漢字とカ"), 0.5);
    let most = scripts(&["Cyrillic"], Some(0.5));
    assert_eq!(reward(&most, "", "да x"), 1.0);
    assert_eq!(reward(&most, "", "да xyz"), 0.0);
    let said = latin.explain(&problem(""), "xда");
    assert_eq!(said.why, "1 of 3 letters are Latin");
}

#[test]
fn unknown_scripts_are_named() {
    let error = |names: &[&str], min_share| {
        let scripts = names.iter().map(|&name| name.to_owned()).collect();
        Language::new(LanguageOptions { scripts, min_share }).unwrap_err()
    };
    assert_eq!(error(&[], None).value, "empty");
    for bad in ["German", "", "Latin}", "Latin}a\\p{Han"] {
        assert_eq!(error(&["Latin", bad], None).value, format!("{bad:?}"));
    }
    assert_eq!(error(&["Latin"], Some(1.1)).option, "min_share");
}

proptest! {
    #[test]
    fn scripts_share_the_letters(text in "[a-fа-е一-三1-9 ]{0,20}") {
        let share = |name| reward(&scripts(&[name], None), "", &text);
        let all = share("Latin") + share("Cyrillic") + share("Han");
        let letters = text.chars().any(char::is_alphabetic);
        let expected = if letters { 1.0 } else { 3.0 };
        prop_assert!((all - expected).abs() < 1e-12);
    }
}

#[cfg(feature = "language")]
#[test]
fn languages_of_one_script_are_told_apart() {
    use equipoise_verifiers::{IdentifiedLanguage, IdentifiedLanguageOptions};

    let language = |language: &str, min_confidence| {
        let language = language.to_owned();
        let options = IdentifiedLanguageOptions {
            language,
            min_confidence,
            min_letters: 20,
        };
        IdentifiedLanguage::new(options)
    };
    let english = language("eng", 0.0).unwrap();
    let german = "Wir rechnen zuerst die Summe der beiden Zahlen aus und teilen sie durch drei.";
    let text = "First we work out the sum of both numbers, and then we divide it by three.";
    assert_eq!(reward(&english, "", text), 1.0);
    assert_eq!(reward(&english, "", german), 0.0);
    assert_eq!(reward(&language("deu", 0.0).unwrap(), "", german), 1.0);
    assert_eq!(reward(&english, "", "Ja, 42"), 1.0);
    let said = english.explain(&problem(""), german);
    assert_eq!(said.extracted.as_deref(), Some("deu"));
    assert_eq!(language("xx", 0.0).unwrap_err().option, "language");
    assert_eq!(language("eng", 2.0).unwrap_err().option, "min_confidence");
}
