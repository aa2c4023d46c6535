//! Language models as judges, against an endpoint of the tests' own.

use std::time::Duration;

use equipoise_core::Problem;
use equipoise_verifiers::{
    ApiKey, EndpointOptions, Judge, JudgeOptions, PairwiseJudge, PairwiseJudgeOptions,
    PositionCounts, Preference, ScoreReading, Verdict, Verifier, VerifierSpec, explain_all,
    verify_all,
};

use crate::judge_server::{Act, Server};
use crate::{problem, reward, unscorable};

/// Options with which a test does not wait.
fn endpoint(server: &Server) -> EndpointOptions {
    EndpointOptions {
        backoff_seconds: 0.001,
        retries: 2,
        ..EndpointOptions::new(server.address(), "judge-1")
    }
}

fn judge(server: &Server) -> Judge {
    Judge::new(endpoint(server), JudgeOptions::default()).unwrap()
}

fn say(text: &str) -> Act {
    Act::Say(text.to_owned())
}

#[test]
fn a_score_becomes_a_reward() {
    let server = Server::new(|_, _| say("Mostly right.\nScore: 7"));
    let options = JudgeOptions {
        system: Some("You are strict.".to_owned()),
        prompt: "{prompt}|{answer}|{completion}|{lowest}|{highest}".to_owned(),
        correct_from: Some(7.0),
        ..Default::default()
    };
    let at = EndpointOptions {
        api_key: Some(ApiKey::new("sk-secret")),
        seed: Some(3),
        ..endpoint(&server)
    };
    let judge = Judge::new(at, options).unwrap();
    let verdict = judge.verify(&problem("Rome"), "It is {answer}.");
    assert_eq!(
        (verdict.reward(), verdict.correct()),
        (Some(0.7), Some(true))
    );
    let [request] = &server.requests()[..] else {
        panic!()
    };
    // What stands in a completion is not filled in again.
    assert_eq!(request.prompt(), "?|Rome|It is {answer}.|0|10");
    assert_eq!(request.body["model"], "judge-1");
    assert_eq!(request.body["temperature"], 0.0);
    assert_eq!(request.body["seed"], 3);
    assert_eq!(request.body["messages"][0]["role"], "system");
    assert!(
        request
            .head
            .starts_with("POST /v1/chat/completions HTTP/1.1\r\n")
    );
    let head = request.head.to_ascii_lowercase();
    assert!(
        head.contains("authorization: bearer sk-secret\r\n"),
        "{head}"
    );
    assert!(head.contains("content-type: application/json"), "{head}");
    let said = judge.explain(&problem("Rome"), "It is {answer}.");
    assert_eq!(said.why, "the judge gave 7 on a scale from 0 to 10");
    assert_eq!(said.steps, ["the judge said: Mostly right.\nScore: 7"]);
}

#[test]
fn what_fails_for_a_while_is_tried_again() {
    let acts: [fn() -> Act; 6] = [
        || Act::Answer(500, "", "busy".into()),
        || Act::Answer(429, "Retry-After: 0\r\n", String::new()),
        || Act::Answer(200, "", "{garbage".into()),
        || Act::Answer(200, "", "{\"choices\": []}".into()),
        || Act::Hang,
        || Act::Answer(503, "Retry-After: soon\r\n", String::new()),
    ];
    for (at, act) in acts.into_iter().enumerate() {
        let server = Server::new(move |number, _| if number < 2 { act() } else { say("Score: 4") });
        assert_eq!(reward(&judge(&server), "", "x"), 0.4, "{at}");
        assert_eq!(server.requests().len(), 3, "{at}");
    }
}

#[test]
fn what_keeps_failing_is_unscorable_and_never_0() {
    let server = Server::new(|_, _| Act::Answer(500, "", "out of sk-secret memory".into()));
    let api_key = Some(ApiKey::new("sk-secret"));
    let at = EndpointOptions {
        api_key,
        ..endpoint(&server)
    };
    let judge = Judge::new(at, JudgeOptions::default()).unwrap();
    assert_eq!(
        unscorable(&judge, "", "x"),
        "problem 7 of test: no score from the judge: status 500: \"out of [hidden] memory\" (attempt 3 of 3)"
    );
    assert!(!format!("{judge:?}").contains("sk-secret"));
    // Nobody is there.
    let address = server.address();
    drop(server);
    let at = EndpointOptions {
        backoff_seconds: 0.001,
        retries: 1,
        ..EndpointOptions::new(address, "judge-1")
    };
    let nobody = Judge::new(at, JudgeOptions::default()).unwrap();
    let why = unscorable(&nobody, "", "x");
    assert!(
        why.contains("no answer") && why.contains("(attempt 2 of 2)"),
        "{why}"
    );
}

#[test]
fn what_cannot_get_better_is_not_tried_again() {
    for (status, headers) in [
        (400, ""),
        (401, ""),
        (404, ""),
        (307, "Location: /elsewhere\r\n"),
    ] {
        let server = Server::new(move |_, _| Act::Answer(status, headers, "no".into()));
        let why = unscorable(&judge(&server), "", "x");
        let expected = format!("status {status}: \"no\" (attempt 1 of 3)");
        assert!(why.ends_with(&expected), "{why}");
        assert_eq!(server.requests().len(), 1);
    }
    let server = Server::new(|_, _| Act::Flood);
    let at = EndpointOptions {
        max_response_bytes: 100_000,
        ..endpoint(&server)
    };
    let judge = Judge::new(at, JudgeOptions::default()).unwrap();
    let why = unscorable(&judge, "", "x");
    assert!(
        why.contains("more than max_response_bytes = 100000 bytes"),
        "{why}"
    );
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_slow_judge_is_not_waited_for() {
    // It would answer after a minute; the test ends long before.
    let slow = Duration::from_secs(60);
    let server = Server::new(move |_, _| Act::Wait(slow, "Score: 4".into()));
    let at = EndpointOptions {
        timeout_seconds: 0.05,
        retries: 1,
        ..endpoint(&server)
    };
    let judge = Judge::new(at, JudgeOptions::default()).unwrap();
    let start = std::time::Instant::now();
    let why = unscorable(&judge, "", "x");
    assert!(
        why.contains("timeout") && why.contains("(attempt 2 of 2)"),
        "{why}"
    );
    assert!(start.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_reply_without_a_score_is_unscorable() {
    let server = Server::new(|_, _| say("I like it. Score: 11"));
    let judge = judge(&server);
    assert_eq!(
        unscorable(&judge, "", "x"),
        "problem 7 of test: no score from the judge: the score 11 is outside 0 to 10 in the reply \"I like it. Score: \
         11\""
    );
    // It is not kept: another time the judge may do better.
    unscorable(&judge, "", "x");
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn batches_are_asked_at_once_in_order_and_without_twins() {
    let server = Server::new(|_, request| {
        let number = request.prompt().to_owned();
        Act::Wait(
            Duration::from_millis(20),
            format!("{{\"score\": {number}}}"),
        )
    });
    let options = JudgeOptions {
        prompt: "{completion}".to_owned(),
        score: ScoreReading::Field("score".to_owned()),
        ..Default::default()
    };
    let at = EndpointOptions {
        concurrency: 4,
        ..endpoint(&server)
    };
    let judge = Judge::new(at, options).unwrap();
    let one = problem("");
    let texts: Vec<String> = (0..40).map(|n| (n % 10).to_string()).collect();
    let pairs: Vec<(&Problem, &str)> = texts.iter().map(|text| (&one, text.as_str())).collect();
    let rewards: Vec<_> = verify_all(&judge, &pairs)
        .iter()
        .map(Verdict::reward)
        .collect();
    let expected: Vec<_> = (0..40).map(|n| Some(f64::from(n % 10) / 10.0)).collect();
    assert_eq!(rewards, expected);
    assert_eq!(server.requests().len(), 10, "every question once");
    assert!(
        (2..=4).contains(&server.most_under_way()),
        "{}",
        server.most_under_way()
    );
    // And now nothing is asked at all.
    let explained = explain_all(&judge, &pairs);
    assert!(
        explained
            .iter()
            .zip(&expected)
            .all(|(said, reward)| said.verdict.reward() == *reward)
    );
    assert_eq!(server.requests().len(), 10);
}

#[test]
fn replies_are_kept_on_disk() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::new(|_, _| say("Score: 4"));
    let at = || EndpointOptions {
        cache: Some(directory.path().join("replies")),
        ..endpoint(&server)
    };
    for _ in 0..2 {
        let judge = Judge::new(at(), JudgeOptions::default()).unwrap();
        assert_eq!(reward(&judge, "", "x"), 0.4);
    }
    assert_eq!(server.requests().len(), 1);
    // Another model has another opinion.
    let other = EndpointOptions {
        model: "judge-2".to_owned(),
        ..at()
    };
    assert_eq!(
        reward(
            &Judge::new(other, JudgeOptions::default()).unwrap(),
            "",
            "x"
        ),
        0.4
    );
    assert_eq!(server.requests().len(), 2);
    let blocked = EndpointOptions {
        cache: Some("/dev/null/x".into()),
        ..at()
    };
    assert_eq!(
        Judge::new(blocked, JudgeOptions::default())
            .unwrap_err()
            .option,
        "cache"
    );
}

#[test]
fn options_without_meaning_are_named() {
    let base = || EndpointOptions::new("http://localhost:1/v1", "m");
    let error = |at: EndpointOptions, options: JudgeOptions| {
        Judge::new(at, options).unwrap_err().to_string()
    };
    let of = |at| error(at, JudgeOptions::default());
    for bad in [
        "",
        "localhost:1",
        "ftp://x/v1",
        "http:///v1",
        "http://x/v1?a=b",
        "http://x y",
    ] {
        let message = of(EndpointOptions::new(bad, "m"));
        assert!(
            message.starts_with(&format!("judge: endpoint is {bad:?}; it must be an")),
            "{message}"
        );
    }
    #[cfg(not(feature = "judge-tls"))]
    assert!(of(EndpointOptions::new("https://x/v1", "m")).contains("judge-tls"));
    for (at, option) in [
        (
            EndpointOptions {
                concurrency: 0,
                ..base()
            },
            "concurrency is 0",
        ),
        (
            EndpointOptions {
                timeout_seconds: 0.0,
                ..base()
            },
            "timeout_seconds is 0",
        ),
        (
            EndpointOptions {
                timeout_seconds: f64::NAN,
                ..base()
            },
            "timeout_seconds is NaN",
        ),
        (
            EndpointOptions {
                backoff_seconds: -1.0,
                ..base()
            },
            "backoff_seconds is -1",
        ),
        (
            EndpointOptions {
                temperature: f64::INFINITY,
                ..base()
            },
            "temperature is inf",
        ),
        (
            EndpointOptions {
                api_key: Some(ApiKey::new("a\nb")),
                ..base()
            },
            "api_key is [hidden]",
        ),
        (
            EndpointOptions {
                api_key_env: Some("EQUIPOISE_NO_SUCH_KEY".into()),
                ..base()
            },
            "api_key_env is \"EQUIPOISE_NO_SUCH_KEY\"",
        ),
    ] {
        assert!(of(at).starts_with(&format!("judge: {option}")), "{option}");
    }
    let with = |options| error(base(), options);
    let usual = JudgeOptions::default;
    assert!(
        with(JudgeOptions {
            prompt: "{prompt}".into(),
            ..usual()
        })
        .contains("{completion}")
    );
    assert!(
        with(JudgeOptions {
            highest: 0.0,
            ..usual()
        })
        .contains("greater than lowest = 0")
    );
    assert!(
        with(JudgeOptions {
            correct_from: Some(11.0),
            ..usual()
        })
        .contains("from 0 to 10")
    );
    let score = ScoreReading::Pattern("a".into());
    assert!(with(JudgeOptions { score, ..usual() }).contains("a group"));
}

#[test]
fn a_judge_has_a_name() {
    let server = Server::new(|_, _| say("[[1]]"));
    let spec = VerifierSpec::new("judge")
        .with("endpoint", server.address())
        .with("model", "m")
        .with("score", serde_json::json!({"pattern": r"\[\[(\d)\]\]"}))
        .with("highest", 4);
    assert_eq!(reward(&*spec.build().unwrap(), "", "x"), 0.25);
    // A secret has no place in a file.
    let error = spec
        .with("api_key", "sk-secret")
        .build()
        .unwrap_err()
        .to_string();
    assert!(error.contains("did you mean \"api_key_env\"?"), "{error}");
}

/// A judge for which longer is better, equal lengths are a tie, and with `biased` the answer in the
/// first place is.
fn pairwise_server(biased: bool) -> Server {
    Server::new(move |_, request| {
        let (a, b) = request.prompt().split_once('|').unwrap();
        say(match a.len().cmp(&b.len()) {
            _ if b == "broken" || a == "broken" => "I cannot say.",
            _ if biased => "[[B]]? No. [[A]]",
            std::cmp::Ordering::Greater => "[[A]]",
            std::cmp::Ordering::Less => "[[B]]",
            std::cmp::Ordering::Equal => "[[C]]",
        })
    })
}

fn pairwise(server: &Server) -> PairwiseJudge {
    let prompt = "{answer_a}|{answer_b}".to_owned();
    let options = PairwiseJudgeOptions {
        prompt,
        ..Default::default()
    };
    PairwiseJudge::new(endpoint(server), options).unwrap()
}

#[test]
fn preferences_hold_in_both_orders() {
    let server = pairwise_server(false);
    let judge = pairwise(&server);
    for (completion, expected) in [("long", 1.0), ("s", 0.0), ("ab", 0.5)] {
        assert_eq!(reward(&judge, "xy", completion), expected, "{completion}");
    }
    let asked: Vec<String> = server
        .requests()
        .iter()
        .map(|one| one.prompt().to_owned())
        .collect();
    assert!(asked.contains(&"long|xy".to_owned()) && asked.contains(&"xy|long".to_owned()));
    let compared = judge.compare(&[("?", "aaa", "b"), ("?", "b", "aaa"), ("?", "a", "b")]);
    assert_eq!(
        compared,
        [
            Ok(Preference::First),
            Ok(Preference::Second),
            Ok(Preference::Tie)
        ]
    );
    assert!(unscorable(&judge, "xy", "broken").contains("there is no [[A]], [[B]] or [[C]]"));
}

#[test]
fn a_judge_that_goes_by_place_is_found_out() {
    let server = pairwise_server(true);
    let judge = pairwise(&server);
    let verdict = judge.verify(&problem("xy"), "long");
    let Verdict::Scored {
        reward,
        correct,
        parts,
    } = verdict
    else {
        panic!("{verdict:?}")
    };
    assert_eq!((reward, correct), (0.5, None));
    let parts: Vec<_> = parts
        .iter()
        .map(|p| (p.name.as_str(), p.score, p.weight))
        .collect();
    assert_eq!(
        parts,
        [
            ("pairwise_judge", 0.5, 1.0),
            ("position_consistent", 0.0, 0.0)
        ]
    );
    let counts = PositionCounts {
        consistent: 0,
        inconsistent: 1,
    };
    assert_eq!(judge.counts(), counts);
    assert_eq!(
        judge.compare(&[("?", "a", "b")]),
        [Ok(Preference::Inconsistent)]
    );
    let said = judge.explain(&problem("xy"), "long");
    assert_eq!(said.why, "the order decides which is preferred");
    assert_eq!(said.steps.len(), 2);
}

/// A handshake with something that does not speak TLS is an error like any other.
#[cfg(feature = "judge-tls")]
#[test]
fn https_is_spoken() {
    let server = Server::new(|_, _| say("Score: 4"));
    let address = server.address().replace("http:", "https:");
    let at = EndpointOptions {
        backoff_seconds: 0.001,
        retries: 0,
        timeout_seconds: 5.0,
        ..EndpointOptions::new(address, "m")
    };
    let judge = Judge::new(at, JudgeOptions::default()).unwrap();
    assert!(unscorable(&judge, "", "x").contains("no answer"));
}
