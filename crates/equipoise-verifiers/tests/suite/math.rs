//! Answers to mathematical problems: what is the same, what is not, and where answers are found.

use equipoise_verifiers::{Math, Place, Verdict, Verifier};
use proptest::prelude::*;

use crate::problem;

pub(crate) fn reward(gold: &str, answer: &str) -> Option<f64> {
    Math::default().verify(&problem(gold), answer).reward()
}

#[track_caller]
fn same(gold: &str, answers: &[&str]) {
    for answer in answers {
        assert_eq!(reward(gold, answer), Some(1.0), "{gold:?} and {answer:?}");
    }
}

#[track_caller]
fn different(gold: &str, answers: &[&str]) {
    for answer in answers {
        assert_eq!(reward(gold, answer), Some(0.0), "{gold:?} and {answer:?}");
    }
}

#[test]
fn numbers_however_they_are_written() {
    same(
        "1234567",
        &[
            "1,234,567",
            r"1{,}234{,}567",
            r"1\,234\,567",
            "1 234 567",
            "1234567.0",
        ],
    );
    same(
        "0.5",
        &[
            ".5",
            r"\frac12",
            r"\dfrac{1}{2}",
            "1/2",
            "50%",
            r"50\%",
            "5e-1",
            "½",
        ],
    );
    same(r"3\frac{1}{2}", &["7/2", "3.5", "3 1/2", r"\frac72", "3½"]);
    same(r"-3\frac{1}{2}", &["-3.5"]);
    same(
        "1500",
        &[r"1.5\times10^3", r"1.5 \cdot 10^{3}", "1.5e3", "1.5 × 10³"],
    );
    same(
        r"\frac{1}{3}",
        &["0.333333", r"0.\overline{3}", "33.333333%"],
    );
    same(r"33\frac{1}{3}\%", &["1/3", r"\frac{100}{3}\%"]);
    same("10^{100}", &["1e100"]);
    same(
        r"1,080",
        &[
            r"\boxed{1,080 \text{ dollars}}",
            r"\frac{5,400}{5}",
            "$1,080$",
        ],
    );
    same(r"\{100,200\}", &["100, 200", r"\{200, 100\}"]);
    same("(1,234)", &["(1, 234)"]);
    same("(1,234, 5)", &["(1234, 5)"]);
    different("10^{100}", &["10^{100}+1"]);
    different(r"\frac{1}{3}", &["0.33", "0.3333", "-1/3", "3"]);
    different("1000000", &["1000001", "100000", "1,000,00"]);
    different("0.000000123", &["0.000000124", "0"]);
    different("3.14", &[r"\pi"]);
}

#[test]
fn percentages_stand_for_their_numbers_if_they_are_whole() {
    same("9\\%", &["9", "0.09", "9 percent", "9/100"]);
    different("0.9\\%", &["0.9", "9\\%"]);
}

#[test]
fn a_base_may_be_left_out_but_not_be_wrong() {
    same("101_2", &["5", "101_{2}", "101", "12_3"]);
    different("2043_5", &["2043_6", "2044_5"]);
}

#[test]
fn units_and_currencies() {
    same(
        "5",
        &[
            "5 cm",
            r"5\text{ cm}",
            r"5 \mathrm{~cm}",
            "5 apples",
            "$5",
            r"\$5.00",
            "5 dollars",
        ],
    );
    same(
        r"12\text{ cm}^2",
        &[
            "12",
            "12 square centimeters",
            r"12\,\text{cm}^2",
            "0.0012 m^2",
        ],
    );
    same("3:2", &["3 to 2", "3/2", "6:4"]);
    same("90", &[r"90^\circ", "90 degrees", r"90^{\circ}"]);
    same("100 cm", &["1 m", "1 meter"]);
    same("36 km/h", &["10 m/s"]);
    same("50 cents", &["$0.50 dollars", "50"]);
    // The same digits are not the same length.
    different("5 cm", &["5 m", "5 kg"]);
}

#[test]
fn constants_roots_powers_and_logarithms() {
    same(
        r"2\sqrt{2}",
        &[r"\sqrt8", "sqrt(8)", "2√2", r"2^{3/2}", "2.828427"],
    );
    same(r"\frac{\sqrt{3}}{3}", &[r"\frac{1}{\sqrt{3}}", "3^{-1/2}"]);
    same(r"\sqrt{2}+\sqrt{3}", &[r"\sqrt{5+2\sqrt{6}}"]);
    same(
        "3",
        &[
            r"\log_2 8",
            r"\sqrt[3]{27}",
            r"\ln e^3",
            r"\log 1000",
            "27^{1/3}",
        ],
    );
    same("-2", &[r"\sqrt[3]{-8}"]);
    same(r"\frac{\pi}{4}", &["pi/4", "π/4", r"\arctan 1", "0.785398"]);
    same(
        "1",
        &[
            r"\tan 45^\circ",
            r"\sin\frac{\pi}{2}",
            r"\sin^2 x + \cos^2 x",
        ],
    );
    same("-1", &[r"e^{i\pi}", "i^2"]);
    same("120", &["5!", r"\binom{10}{3}", r"\frac{6!}{3!}"]);
    same(r"\binom{2n}{n}", &[r"\frac{(2n)!}{(n!)^2}"]);
    same(
        "6",
        &[
            r"\sum_{k=1}^{3} k",
            r"\prod_{k=1}^{3} k",
            r"\gcd(12,18)",
            r"\max(2, 6)",
        ],
    );
    different(r"\sqrt{2}", &["1.414", r"\sqrt{3}", "2", r"-\sqrt2"]);
    different(r"\sqrt[3]{7+5\sqrt2}", &[r"1+\sqrt{3}"]);
    same(r"\sqrt[3]{7+5\sqrt2}", &[r"1+\sqrt{2}"]);
}

#[test]
fn expressions_in_several_variables() {
    same("x^2-1", &["(x-1)(x+1)", "x*x - 1", "-(1-x^2)"]);
    same(r"\frac{x^2-1}{x-1}", &["x+1"]);
    same("e^{x+y}", &["e^xe^y", "exp(x)*exp(y)"]);
    same(r"\frac{a}{b}+\frac{c}{d}", &[r"\frac{ad+bc}{bd}"]);
    same("|x|", &[r"\sqrt{x^2}"]);
    same("2x_1+x_2", &["x_2+2x_{1}"]);
    same(r"\frac{n(n+1)}{2}", &["n(n+1)/2", r"\binom{n+1}{2}"]);
    same("f(x)=x^2", &["x^2"]);
    different("x^2-1", &["x^2+1", "y^2-1", "(x-1)^2"]);
    different(r"\sqrt{x^2}", &["x"]);
    different(r"\ln x^2", &[r"2\ln x"]);
    different("1/(2x)", &[r"\frac{x}{2}"]);
}

#[test]
fn complex_numbers() {
    same("3+4i", &["4i+3", r"3+i\cdot4", "(2+i)^2"]);
    same(r"2i", &[r"\sqrt{-4}"]);
    different("3+4i", &["3-4i", "4+3i", "5"]);
}

#[test]
fn sets_tuples_and_intervals() {
    same(
        "1,2,3",
        &["3, 2 and 1", r"\{1,2,3\}", "1 or 2 or 3", r"\{3,2,1,1\}"],
    );
    same("(1,2)", &["(1, 2)", "1,2", r"\left(1,2\right)", "(1.0,2)"]);
    different("(1,2)", &["(2,1)", "[1,2]", "(1,2]", "(1,2,3)"]);
    different(r"\{1,2\}", &["1", r"\{1,2,3\}", r"\{1,3\}"]);
    same("(1,2),(3,4)", &["(3,4), (1,2)", r"\{(1,2),(3,4)\}"]);
    same(
        r"(-\infty,1)\cup(2,\infty)",
        &[r"(2,\infty)\cup(-\infty,1)", "(-inf,1) U (2,inf)"],
    );
    same(r"[1,2]\cup[2,3]", &["[1,3]"]);
    same(r"\mathbb{R}\setminus\{1\}", &[r"(-\infty,1)\cup(1,\infty)"]);
    same(r"\emptyset", &[r"\{\}", r"\varnothing"]);
    different(r"[1,2]\cup[3,4]", &["[1,4]", r"[1,2]\cup(3,4]"]);
    same(r"\pm 3", &["3,-3", r"\{-3,3\}", r"x = \pm 3"]);
    same(
        r"\frac{-1\pm\sqrt5}{2}",
        &[r"\frac{-1+\sqrt5}{2}, \frac{-1-\sqrt5}{2}"],
    );
    different(r"\pm 3", &["3", "-3"]);
    same(r"(\pm 3, 0)", &["(3,0),(-3,0)"]);
}

#[test]
fn matrices() {
    let matrix = r"\begin{pmatrix}1&2\\3&4\end{pmatrix}";
    same(
        matrix,
        &[
            r"\begin{bmatrix} 1 & 2 \\ 3 & 4 \end{bmatrix}",
            r"\begin{pmatrix}1&2\\3&\sqrt{16}\end{pmatrix}",
        ],
    );
    different(
        matrix,
        &[
            r"\begin{pmatrix}1&3\\2&4\end{pmatrix}",
            r"\begin{pmatrix}1&2\end{pmatrix}",
            "(1,2,3,4)",
        ],
    );
    same("-2", &[r"\begin{vmatrix}1&2\\3&4\end{vmatrix}"]);
}

#[test]
fn equations_and_inequalities() {
    same("x=5", &["5", "x = 5", "5 = x"]);
    same("5", &["x=5", "y = 2+3 = 5", "x = 5.0"]);
    different("x=5", &["y=5", "x=-5"]);
    same("y=2x+1", &["2x+1", "2x-y+1=0", "y-1=2x", "2y = 4x+2"]);
    different("y=2x+1", &["y=2x-1", "x=2y+1"]);
    same("(x-1)^2+(y+2)^2=9", &["x^2+y^2-2x+4y-4=0"]);
    same("x>2", &["2<x", r"(2,\infty)", "2x > 4", "-x < -2"]);
    different("x>2", &[r"x\ge 2", "x<2", r"[2,\infty)"]);
    same("1<x<2", &["(1,2)", "2>x>1"]);
    same("x=1, y=2", &["y=2, x=1", "(1,2)"]);
    same("x=1 or x=2", &["1, 2", r"x \in \{1,2\}", "x = 1, 2"]);
    same(r"x \approx 3.14", &["3.14"]);
}

#[test]
fn a_relation_answers_a_pair_that_may_be_a_point_only_if_it_is_asked_to() {
    let lenient = Math {
        points_as_intervals: true,
        ..Math::default()
    };
    let pair = problem("(1,2)");
    assert_eq!(lenient.verify(&pair, "1<x<2").reward(), Some(1.0));
    assert_eq!(lenient.verify(&pair, r"1 \le x<2").reward(), Some(0.0));
    different("(1,2)", &["1<x<2"]);
    // Here there is no doubt.
    same(r"(2,\infty)", &["x>2"]);
    same("[1,2]", &[r"1 \le x \le 2"]);
    same("1<x<2", &["(1,2)"]);
    different(r"(2,\infty)", &[r"x\ge 2", "x<2"]);
}

#[test]
fn words_and_letters() {
    same(
        r"\text{Tuesday}",
        &["tuesday", "Tuesday.", r"\mathrm{Tuesday}"],
    );
    same("A", &["(A)", r"\text{A}", "a", r"\textbf{(A)}"]);
    same(
        "no solution",
        &[r"\text{No solution}", "There is no solution.", r"\emptyset"],
    );
    same(r"\mathbb{R}", &["all real numbers", r"(-\infty, \infty)"]);
    same("B", &["The correct answer is **(B) 14**.", "B. fourteen"]);
    different("B", &["The correct answer is **(C) 14**.", "A. fourteen"]);
    different("A", &["B", "(B)"]);
    different("even", &["odd"]);
}

#[test]
fn answers_are_found_where_people_put_them() {
    same(
        "42",
        &[
            r"We get $6 \cdot 7$, so \boxed{42}.",
            "6 * 7 = 42\n#### 42",
            "The answer is 42.",
            "**Answer:** 42",
            "The final answer is: $42$. I hope it is correct.",
            "Some 7 and 13 first, then $x = 42$.",
            "After 3 days there are 42 of them.",
            r"\[ x = 42 \]",
            "<think>maybe 41, answer: 40</think>It is 42",
            r"\boxed{\text{42 apples}}",
            "First \\boxed{7}. A long time later, after much more thought, and with a proof, we see \
             that it is \\boxed{42}",
        ],
    );
    same(
        "1, 2",
        &[r"\boxed{1} and \boxed{2}", "The answer is $1$ and $2$."],
    );
    different(
        "42",
        &[
            r"42 is wrong; \boxed{41}",
            "#### 41\n",
            "no idea",
            "",
            r"\boxed{}",
        ],
    );
}

#[test]
fn the_order_of_the_places_can_be_chosen() {
    let text = r"\boxed{1} #### 2";
    let with = |place| Math {
        places: vec![place],
        ..Math::default()
    };
    let extracted = |place| with(place).explain(&problem("1"), text).extracted;
    assert_eq!(extracted(Place::Boxed).as_deref(), Some("1"));
    assert_eq!(extracted(Place::Hashes).as_deref(), Some("2"));
    assert_eq!(extracted(Place::Phrase), None);
}

#[test]
fn an_explanation_says_how_it_was_decided() {
    let explanation = Math::default().explain(&problem("0.5"), r"so \boxed{\frac12}");
    assert_eq!(explanation.extracted.as_deref(), Some(r"\frac12"));
    assert_eq!(explanation.why, r#"right: "\\frac12" is "0.5""#);
    assert_eq!(explanation.steps.len(), 2);
    assert_eq!(explanation.verdict, Verdict::answer("math", true));
}

#[test]
fn a_problem_without_a_readable_answer_is_unscorable() {
    let verdict = Math::default().verify(&problem("  "), "5");
    assert!(matches!(verdict, Verdict::Unscorable { why } if why.contains("no answer")));
    // What cannot be read can still be recognised.
    let gold = r"\int_0^1 f(x)\,dx \odot \mho";
    assert_eq!(reward(gold, r"\int_0^1 f(x) dx \odot \mho"), Some(1.0));
    assert_eq!(reward(gold, "1"), None);
}

#[test]
fn hostile_answers_are_read_in_no_time() {
    let deep = "{".repeat(100_000) + &"}".repeat(100_000);
    let brackets = "(".repeat(900) + "1" + &")".repeat(900);
    let roots = r"\sqrt{".repeat(300) + "2" + &"}".repeat(300);
    let factorials = "9".to_owned() + &"!".repeat(1_000);
    let expand = "(a+b+c+d+e+f+g+h)^{24}".to_owned();
    let product: String = ('a'..='z').map(|c| format!("({c}+1)")).collect();
    for answer in [
        deep.as_str(),
        &brackets,
        &roots,
        &factorials,
        &expand,
        &product,
        "9^{9^{9^9}}",
        "2^{10000000000}",
        "1e9999",
        "99999999999999999999!",
        r"\binom{1000000000}{500000000}",
        r"\sum_{k=1}^{1000000000} k",
        r"\frac{1}{0}",
        "0^{-1}",
        r"\log_1 5",
        r"\sqrt[0]{2}",
        &"1,".repeat(900),
    ] {
        for (gold, answer) in [("1", answer), (answer, "1"), (answer, answer)] {
            let _ = reward(gold, answer);
            let _ = reward(gold, &format!("\\boxed{{{answer}}}"));
        }
    }
}

/// Expressions over few letters and small numbers.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        (0_u32..20).prop_map(|n| n.to_string()),
        prop::sample::select(vec!["x", "y", r"\pi", "a"]).prop_map(str::to_owned),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}+{b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}-{b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a} \\cdot {b}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("\\frac{{{a}}}{{{b}+30}}")),
            (inner.clone(), 2_u32..4).prop_map(|(a, n)| format!("({a})^{{{n}}}")),
            inner.prop_map(|a| format!("\\sqrt{{{a}}}")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn an_answer_is_itself(text in expression()) {
        prop_assert_eq!(reward(&text, &format!("${text}$")), Some(1.0));
        prop_assert_eq!(reward(&text, &format!("{text} + 0")), Some(1.0), "{}", text);
    }

    #[test]
    fn an_answer_is_not_one_more_or_less(text in expression(), by in 1_u32..9) {
        prop_assert_eq!(reward(&text, &format!("{text} + {by}")), Some(0.0), "{}", text);
    }

    #[test]
    fn a_fraction_is_itself_in_any_terms(a in -999_i64..999, b in 1_i64..999, times in 1_i64..99) {
        let gold = format!("\\frac{{{a}}}{{{b}}}");
        prop_assert_eq!(reward(&gold, &format!("{}/{}", a * times, b * times)), Some(1.0));
        prop_assert_eq!(reward(&gold, &format!("{}/{}", a * times + 1, b * times)), Some(0.0));
    }

    #[test]
    fn order_matters_in_tuples_and_not_in_sets(items in prop::collection::vec(-50_i64..50, 3..6)) {
        let text = |items: &[i64]| {
            let items: Vec<String> = items.iter().map(i64::to_string).collect();
            items.join(", ")
        };
        let mut turned = items.clone();
        turned.rotate_left(1);
        let tuples = (format!("({})", text(&items)), format!("({})", text(&turned)));
        let same = f64::from(u8::from(items == turned));
        prop_assert_eq!(reward(&tuples.0, &tuples.1), Some(same));
        let sets = (format!("\\{{{}\\}}", text(&items)), format!("\\{{{}\\}}", text(&turned)));
        prop_assert_eq!(reward(&sets.0, &sets.1), Some(1.0));
    }

    #[test]
    fn no_text_makes_it_fail(
        gold in r"(\\frac|\\sqrt|\\boxed|\\left|\\text|[{}()\[\]$^_&|,;=<>+*/%!.0-9a-z \n-]){0,30}",
        answer in r"(\\begin\{pmatrix\}|\\end\{pmatrix\}|\\\\|\\pm|\\cup|\\infty|\\log|answer is|####|\\boxed|[{}()\[\]$^_&|,=<0-9a-z é½²-]){0,30}",
    ) {
        let verdict = Math::default().explain(&problem(&gold), &answer).verdict;
        prop_assert!(verdict.reward().is_none_or(|reward| reward == 0.0 || reward == 1.0));
        let _ = reward(&answer, &gold);
    }
}
