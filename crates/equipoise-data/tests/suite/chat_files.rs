//! Chat templates from files, and what is said about those that are wrong.

use std::fs;

use equipoise_data::chat::{
    BUILTIN, ChatMessage, ChatTemplate, ChatTemplateError, GenerationConfig, SpecialTokens,
};
use serde_json::{Value, json};

use crate::chat_golden::folder;

fn hello() -> Vec<ChatMessage> {
    vec![ChatMessage::new("user", "Hello")]
}

fn jinja(source: &str) -> Result<ChatTemplate, ChatTemplateError> {
    ChatTemplate::new(source, SpecialTokens::default())
}

#[test]
fn a_directory_of_a_model() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("tokenizer_config.json");
    let write = |value: Value| fs::write(&config, value.to_string()).unwrap();
    let text = |template: ChatTemplate| template.render(&hello(), false).unwrap();
    let load = || ChatTemplate::from_model_directory(directory.path());

    let error = load().unwrap_err();
    assert!(matches!(error, ChatTemplateError::NoTemplate { .. }));
    assert!(error.to_string().contains("chatml, qwen2.5"), "{error}");

    // A text, with special tokens as texts or as objects.
    let source = "{{ bos_token }}{{ messages[0].content }}{{ eos_token }}{{ pad_token }}";
    write(json!({
        "bos_token": {"__type": "AddedToken", "content": "<s>", "lstrip": false},
        "eos_token": "</s>",
        "pad_token": null,
        "chat_template": source,
    }));
    assert_eq!(text(load().unwrap()), "<s>Hello</s>");
    let tokens = SpecialTokens::load(&config).unwrap();
    assert_eq!((tokens.bos.as_deref(), tokens.pad), (Some("<s>"), None));

    // A list.
    write(json!({
        "eos_token": "</s>",
        "chat_template": [
            {"name": "default", "template": "default{{ eos_token }}"},
            {"name": "tool_use", "template": "tools"},
        ],
    }));
    assert_eq!(text(load().unwrap()), "default</s>");
    let named = |name| ChatTemplate::from_model_directory_named(directory.path(), name);
    assert_eq!(text(named("tool_use").unwrap()), "tools");
    let error = named("rag").unwrap_err().to_string();
    assert!(
        error.contains("`rag`") && error.contains("default, tool_use"),
        "{error}"
    );

    // The file comes first, and so do files of other names.
    fs::write(
        directory.path().join("chat_template.jinja"),
        "file{{ eos_token }}\n",
    )
    .unwrap();
    assert_eq!(text(load().unwrap()), "file</s>");
    fs::create_dir(directory.path().join("additional_chat_templates")).unwrap();
    let additional = directory.path().join("additional_chat_templates/rag.jinja");
    fs::write(additional, "rag").unwrap();
    assert_eq!(text(named("rag").unwrap()), "rag");

    // By a path of any sort.
    let find = |path: &std::path::Path| ChatTemplate::find(path.to_str().unwrap()).unwrap();
    assert_eq!(text(find(directory.path())), "file</s>");
    assert_eq!(text(find(&config)), "file</s>");
    assert_eq!(
        text(find(&directory.path().join("chat_template.jinja"))),
        "file</s>"
    );
}

#[test]
fn wrong_files_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("tokenizer_config.json");
    for (text, part) in [
        ("{", "not JSON"),
        ("[]", "not a JSON object"),
        (r#"{"chat_template": 1}"#, "neither a text nor a list"),
    ] {
        fs::write(&config, text).unwrap();
        let error = ChatTemplate::from_model_directory(directory.path()).unwrap_err();
        assert!(matches!(error, ChatTemplateError::Config { .. }), "{error}");
        let error = error.to_string();
        assert!(
            error.contains("tokenizer_config.json") && error.contains(part),
            "{error}"
        );
    }
    let missing = directory.path().join("nowhere.json");
    assert!(matches!(
        SpecialTokens::load(&missing),
        Err(ChatTemplateError::Io { .. })
    ));
    let error = ChatTemplate::find("qwen4").unwrap_err().to_string();
    assert!(
        error.contains("`qwen4`") && error.contains("qwen3"),
        "{error}"
    );
    assert!(ChatTemplate::builtin("").is_err());
}

#[test]
fn a_generation_config() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("generation_config.json");
    let load = |value: Value| {
        fs::write(&path, value.to_string()).unwrap();
        GenerationConfig::load(&path)
    };
    let many = load(json!({"eos_token_id": [5, 7], "pad_token_id": 3, "top_p": 0.9})).unwrap();
    assert_eq!((many.eos, many.pad, many.bos), (vec![5, 7], Some(3), None));
    assert_eq!(load(json!({"eos_token_id": 2})).unwrap().eos, [2]);
    assert_eq!(
        load(json!({"eos_token_id": null})).unwrap(),
        GenerationConfig::default()
    );
    for wrong in [json!("</s>"), json!([-1]), json!(1.5), json!(1_u64 << 40)] {
        let error = load(json!({"eos_token_id": wrong}))
            .unwrap_err()
            .to_string();
        assert!(error.contains("`eos_token_id`"), "{error}");
    }
}

#[test]
fn errors_of_a_template_have_a_line() {
    match jinja("a\nb\n{% if %}\n{% endif %}") {
        Err(ChatTemplateError::Syntax { line: 3, .. }) => {}
        other => panic!("{other:?}"),
    }
    match jinja("{% for m in messages %}\n").unwrap_err() {
        ChatTemplateError::Syntax { line, .. } => assert!(line >= 1),
        other => panic!("{other:?}"),
    }
    let template = jinja("a\n{{ messages[0].nothing + 'x' }}").unwrap();
    match template.render(&hello(), false) {
        Err(ChatTemplateError::Render { line: 2, message }) => assert!(!message.is_empty()),
        other => panic!("{other:?}"),
    }
    match jinja("a\n{{ messages[0].content.nonsense() }}")
        .unwrap()
        .render(&hello(), false)
    {
        Err(ChatTemplateError::Render { line: 2, .. }) => {}
        other => panic!("{other:?}"),
    }
    let raising = jinja("{{ raise_exception('No ' ~ messages[0].role ~ 's!') }}").unwrap();
    match raising.render(&hello(), false) {
        Err(ChatTemplateError::Raised { message }) => assert_eq!(message, "No users!"),
        other => panic!("{other:?}"),
    }
    assert!(matches!(
        raising.render(&[], false),
        Err(ChatTemplateError::EmptyConversation)
    ));
}

#[test]
fn a_date_is_given_or_missed() {
    let dated = jinja("{{ strftime_now('%d %b %Y, %A %j %y') }}").unwrap();
    let error = dated.render(&hello(), false).unwrap_err();
    assert!(matches!(error, ChatTemplateError::NoDate), "{error}");
    // datetime(2026, 3, 1).strftime('%d %b %Y, %A %j %y')
    let fixed = dated.clone().with_date("2026-03-01").unwrap();
    assert_eq!(
        fixed.render(&hello(), false).unwrap(),
        "01 Mar 2026, Sunday 060 26"
    );
    for wrong in ["today", "2026-02-30", "1 March 2026", ""] {
        let error = dated.clone().with_date(wrong).unwrap_err();
        assert!(matches!(error, ChatTemplateError::Date { .. }), "{error}");
    }
    // A template that has no use for it does not need it.
    assert!(
        jinja("{% if false %}{{ strftime_now('%d') }}{% endif %}x")
            .unwrap()
            .render(&hello(), false)
            .is_ok()
    );
}

#[test]
fn messages_are_objects_with_a_role() {
    for (value, part) in [
        (
            json!([{"role": "user", "content": "a"}, "b"]),
            "message 1: not an object",
        ),
        (json!([{"content": "a"}]), "message 0: has no `role`"),
        (
            json!([{"role": 1, "content": "a"}]),
            "message 0: `role` is not a text",
        ),
        (
            json!([{"role": "user", "content": 1}]),
            "message 0: `content` is neither",
        ),
        (json!([]), "no messages"),
        (json!({}), "no messages"),
    ] {
        let error = ChatMessage::list(&value).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
    let message: ChatMessage =
        serde_json::from_str(r#"{"role": "assistant", "content": null, "name": "x"}"#).unwrap();
    assert_eq!((message.content(), message.get("content")), (None, None));
    assert_eq!(
        serde_json::to_string(&message).unwrap(),
        r#"{"role":"assistant","name":"x"}"#
    );
    // A role cannot be taken away.
    assert_eq!(
        message
            .clone()
            .with("role", Value::Null)
            .with("role", 3)
            .role(),
        "assistant"
    );
    assert_eq!(message.with("name", Value::Null).get("name"), None);
}

#[test]
fn python_shows_through() {
    let source = "{% for key, value in messages[0].items() %}{{ key }}={{ value }};{% endfor %}\
                  {%- for m in messages %}{% if loop.first %}{% continue %}{% endif %}\
                  {{ m.content.strip().upper().split('A')[0] }}{% break %}{% endfor %}\
                  {{ messages[1:] | length }}{{ 'x' in messages[0] }}{{ none }}{{ tools is none }}";
    let messages = [
        ChatMessage::new("user", "é"),
        ChatMessage::new("user", " bab "),
    ];
    // jinja2.Environment(extensions=["jinja2.ext.loopcontrols"], trim_blocks=True, lstrip_blocks=True)
    let expected = "role=user;content=é;B1FalseNoneTrue";
    assert_eq!(
        jinja(source).unwrap().render(&messages, false).unwrap(),
        expected
    );
}

#[test]
fn values_are_those_of_python() {
    let message = ChatMessage::new("user", "x").with("x", json!([1e-5, 1e16, 2.5, 3, true]));
    let render = |source: &str| {
        jinja(source)
            .unwrap()
            .render(std::slice::from_ref(&message), false)
    };
    let text = |source: &str| render(source).unwrap();
    // str, and json.dumps with the arguments that transformers passes on.
    let each = "{% for x in messages[0].x %}{{ x }} {{ x | string }} {% endfor %}";
    assert_eq!(text(each), "1e-05 1e-05 1e+16 1e+16 2.5 2.5 3 3 True True ");
    assert_eq!(
        text("{{ messages[0].x | tojson }}"),
        "[1e-05, 1e+16, 2.5, 3, true]"
    );
    let odd = "{{ {'b': 'é\"\\n', 'a': []} | tojson(ensure_ascii=true, sort_keys=true) }}";
    assert_eq!(text(odd), r#"{"a": [], "b": "\u00e9\"\n"}"#);
    let tight = "{{ {'b': [1, 2]} | tojson(separators=(',', ':')) }}";
    assert_eq!(text(tight), r#"{"b":[1,2]}"#);
    assert_eq!(
        text("{{ {'b': [1, {}]} | tojson(indent=1) }}"),
        "{\n \"b\": [\n  1,\n  {}\n ]\n}"
    );
    assert!(
        render("{{ messages[0].y | tojson }}").is_err(),
        "an undefined value"
    );
    // isinstance questions: None cannot be iterated, and texts are sequences.
    let kinds = "{{ none is iterable }}{{ 'x' is iterable }}{{ 'x' is sequence }}{{ 3 is sequence }}\
                 {{ messages[0] is sequence }}{{ messages is sequence }}";
    assert_eq!(text(kinds), "FalseTrueTrueFalseTrueTrue");
}

#[test]
fn variables_reach_the_template() {
    let qwen = ChatTemplate::builtin("qwen3").unwrap();
    let off = qwen.clone().with_variable("enable_thinking", false);
    let end = "<|im_start|>assistant\n<think>\n\n</think>\n\n";
    assert!(off.render(&hello(), true).unwrap().ends_with(end));
    assert!(!qwen.render(&hello(), true).unwrap().contains("think"));
}

#[test]
fn the_built_in_templates_are_those_listed() {
    for name in BUILTIN {
        let template = ChatTemplate::builtin(name).unwrap();
        assert!(template.has_generation_markers(), "{name}");
        assert!(
            template.render(&hello(), true).unwrap().contains("Hello"),
            "{name}"
        );
    }
    assert!(folder().join("chat/README.md").is_file());
}
