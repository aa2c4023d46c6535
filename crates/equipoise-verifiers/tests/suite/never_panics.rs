//! No text makes a verifier panic, and rewards are what they may be.

use std::sync::LazyLock;

use equipoise_core::Problem;
use equipoise_verifiers::sandbox::{Sandbox, SandboxOptions};
use equipoise_verifiers::{
    Code, CountdownExpression, ExactNumber, Extraction, Format, Math, Verifier, explain_all,
    verify_all,
};
use proptest::prelude::*;

use crate::problem;
use crate::spec::buildable;

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
    all.push(Box::new(Math::default()));
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
    check_all(answer, completion)
}

/// Every verifier with a name.
static ALL: LazyLock<Vec<Box<dyn Verifier>>> = LazyLock::new(|| {
    let built = buildable().into_iter().map(|spec| spec.build().unwrap());
    built.collect()
});

/// One by one, in batches and explained they say the same, and no reward is infinite.
fn check_all(answer: &str, completion: &str) -> Result<(), TestCaseError> {
    let one = problem(answer);
    let pairs: [(&Problem, &str); 2] = [(&one, completion), (&one, "1")];
    for verifier in ALL.iter() {
        let verdict = verifier.verify(&one, completion);
        let batch = verify_all(&**verifier, &pairs);
        let explained = explain_all(&**verifier, &pairs);
        prop_assert_eq!(&batch[0], &verdict, "{}", verifier.name());
        prop_assert_eq!(&explained[0].verdict, &verdict, "{}", verifier.name());
        prop_assert_eq!(&explained[1].verdict, &batch[1], "{}", verifier.name());
        prop_assert!(!explained[0].why.is_empty(), "{}", verifier.name());
        prop_assert!(
            verdict.reward().is_none_or(f64::is_finite),
            "{}",
            verifier.name()
        );
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

    #[test]
    fn on_nearly_right_forms(
        answer in "[A-F(). ]{0,3}|[0-9]{1,2}",
        completion in "(<think>|</think>|```|json|\\n|[{}\\[\\]\":,0-9]|\\\\boxed\\{|\\}|The answer is |[(A-Fa ).]|\\*|é|的|да){0,30}",
    ) {
        check_all(&answer, &completion)?;
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
