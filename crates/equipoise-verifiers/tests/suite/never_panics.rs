//! No text makes a verifier panic, and rewards are always 0 or 1.

use equipoise_verifiers::sandbox::{Sandbox, SandboxOptions};
use equipoise_verifiers::{Code, CountdownExpression, ExactNumber, Extraction, Format, Verifier};
use proptest::prelude::*;

use crate::problem;

fn verifiers() -> Vec<Box<dyn Verifier>> {
    let extractions = [
        Extraction::AfterTag("</think>".into()),
        Extraction::AfterTag(String::new()),
        Extraction::AfterMarker("####".into()),
        Extraction::AfterMarker(String::new()),
        Extraction::LastNumber,
    ];
    let mut all: Vec<Box<dyn Verifier>> = Vec::new();
    for extraction in extractions {
        all.push(Box::new(ExactNumber { extraction }));
    }
    for use_all in [false, true] {
        let after_tag = String::new();
        all.push(Box::new(CountdownExpression { after_tag, use_all }));
    }
    // Nothing can be launched from here, so only what comes before is tried.
    all.push(Box::new(Code::python(Sandbox::new(
        SandboxOptions::default(),
    ))));
    all.push(Box::new(Format {
        open: "<think>".into(),
        close: "</think>".into(),
    }));
    all
}

fn check(answer: &str, completion: &str) -> Result<(), TestCaseError> {
    for verifier in verifiers() {
        if let Some(reward) = verifier.verify(&problem(answer), completion).reward() {
            prop_assert!(reward == 0.0 || reward == 1.0);
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn on_any_unicode(answer in any::<String>(), completion in any::<String>()) {
        check(&answer, &completion)?;
        check("1", &completion)?;
        check(r#"{"tests":[{"stdin":"","stdout":""}]}"#, &completion)?;
        check(r#"{"target":1,"numbers":[1,2]}"#, &completion)?;
    }

    /// Text that is nearly a number, an expression or a block.
    #[test]
    fn on_nearly_right_text(
        answer in "[-+−]?[0-9,.eE/]{0,8}",
        completion in "(<think>|</think>|####|[-+−*/().,eE=0-9 \n]|é|１){0,30}",
    ) {
        check(&answer, &completion)?;
        check(r#"{"target":1,"numbers":[1,2]}"#, &completion)?;
    }
}
