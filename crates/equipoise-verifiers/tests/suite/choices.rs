//! Letters of choices.

use equipoise_verifiers::{MultipleChoice, MultipleChoiceOptions, Verifier};

use crate::{problem, reward, unscorable};

fn choice() -> MultipleChoice {
    MultipleChoice::new(MultipleChoiceOptions::default()).unwrap()
}

#[test]
fn letters_are_found_in_the_usual_forms() {
    for (completion, expected) in [
        ("B", Some("B")),
        (" b\n", Some("B")),
        ("(B)", Some("B")),
        ("[B]", Some("B")),
        ("B.", Some("B")),
        ("B) Paris", Some("B")),
        ("B. Paris, because A is wrong", Some("B")),
        ("B: Paris", Some("B")),
        ("**B**", Some("B")),
        ("**B) Paris**", Some("B")),
        ("The answer is B.", Some("B")),
        ("The answer is (b)", Some("B")),
        ("The correct answer is: **C**", Some("C")),
        ("Answer: D", Some("D")),
        ("**Answer:** D", Some("D")),
        ("ANSWER: (D) because of A", Some("D")),
        ("answer = E", Some("E")),
        ("The answer is option C.", Some("C")),
        ("Option B is correct.", Some("B")),
        ("I choose c", Some("C")),
        ("The answer to question 3 is (B)", Some("B")),
        ("The answer is not A, it is B", Some("B")),
        ("A is wrong, so B is the correct one", Some("B")),
        ("(D) is right and A is not correct", Some("D")),
        ("The answer is not A", None),
        ("The answer is A because it fits", Some("A")),
        ("The answer is A", Some("A")),
        (
            "First I thought the answer is A. No, the answer is B.",
            Some("B"),
        ),
        (r"so \boxed{C}", Some("C")),
        (r"so \boxed{\text{C}}", Some("C")),
        (r"so \boxed{\textbf{(C)}}, not the answer is B", Some("C")),
        ("Not (A), so it has to be (D), I think", Some("D")),
        ("Long reasoning.\nC", Some("C")),
        ("Long reasoning.\n(C) Rome", Some("C")),
        ("The answer is a number", None),
        ("A dog", None),
        ("I think so", None),
        ("Because", None),
        ("F", None),
        ("The answer is F", None),
        ("the answer is b-flat", None),
        ("", None),
    ] {
        let said = choice().explain(&problem("A"), completion);
        assert_eq!(
            said.extracted.as_deref(),
            expected,
            "{completion}: {}",
            said.why
        );
    }
}

#[test]
fn the_problem_gives_a_letter() {
    for answer in ["B", "b", "(B)", "B.", "B) Paris", "**B**"] {
        assert_eq!(
            reward(&choice(), answer, "The answer is B."),
            1.0,
            "{answer}"
        );
        assert_eq!(
            reward(&choice(), answer, "The answer is C."),
            0.0,
            "{answer}"
        );
        assert_eq!(reward(&choice(), answer, "no idea"), 0.0, "{answer}");
    }
    for broken in ["F", "Paris", "", "1", "AB"] {
        let why = unscorable(&choice(), broken, "B");
        assert!(why.contains("is not a letter from A to E"), "{why}");
    }
    let said = choice().explain(&problem("A"), "Answer: B");
    assert_eq!(said.why, "B was chosen (announced), A is expected");
}

#[test]
fn the_number_of_choices_counts() {
    let of = |choices| MultipleChoice::new(MultipleChoiceOptions { choices });
    assert_eq!(reward(&of(10).unwrap(), "J", "Answer: J"), 1.0);
    assert_eq!(reward(&of(2).unwrap(), "B", "Answer: C"), 0.0);
    for bad in [0, 1, 27] {
        assert_eq!(of(bad).unwrap_err().option, "choices");
    }
}
