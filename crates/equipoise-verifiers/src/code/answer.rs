//! The tests in a problem's answer.

use serde_json::{Map, Value, json};

/// The tests of a problem.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tests {
    /// Programs' inputs and outputs.
    pub(super) streams: Vec<Stream>,
    /// Statements, and calls with what they should give, as the tester has them.
    pub(super) calls: Vec<Value>,
    /// Code that comes before both the tests and the code under test.
    pub(super) setup: String,
    /// The function that `candidate` means, and that calls call.
    pub(super) entry: Option<String>,
}

/// One run of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stream {
    pub(super) stdin: String,
    pub(super) stdout: String,
}

/// Reads the tests; in words what is wrong if they cannot be read.
pub(super) fn tests(answer: &str) -> Result<Tests, String> {
    let value: Value = serde_json::from_str(answer).map_err(|error| error.to_string())?;
    let object = match value {
        Value::Object(object) => object,
        Value::Array(tests) => Map::from_iter([("tests".to_owned(), Value::Array(tests))]),
        _ => return Err("it is neither an object nor a list".to_owned()),
    };
    let mut tests = Tests {
        streams: Vec::new(),
        calls: Vec::new(),
        setup: setup(&object)?,
        entry: text(&object, "entry_point")?.or(text(&object, "fn_name")?),
    };
    for test in list(&object, "tests")? {
        tests.streams.push(stream(test)?);
    }
    for key in ["asserts", "test_list"] {
        for test in list(&object, key)? {
            let test = test
                .as_str()
                .ok_or(format!("{key} holds {test}, which is no text"))?;
            tests.calls.push(Value::from(test));
        }
    }
    if let Some(test) = text(&object, "test")? {
        let entry = tests.entry.as_ref();
        entry.ok_or("there is a test, but no entry_point that it is for")?;
        tests
            .calls
            .push(Value::from(format!("{test}\n\ncheck(candidate)\n")));
    }
    pairs(&object, &mut tests)?;
    if tests.streams.is_empty() && tests.calls.is_empty() {
        return Err("there are no tests".to_owned());
    }
    Ok(tests)
}

/// Reads `inputs` and `outputs`: of a program, or of a function if one is named.
fn pairs(object: &Map<String, Value>, tests: &mut Tests) -> Result<(), String> {
    let (inputs, outputs) = (list(object, "inputs")?, list(object, "outputs")?);
    if inputs.len() != outputs.len() {
        let (inputs, outputs) = (inputs.len(), outputs.len());
        return Err(format!("there are {inputs} inputs, but {outputs} outputs"));
    }
    for (input, output) in inputs.iter().zip(outputs) {
        if tests.entry.is_some() {
            if !input.is_array() {
                return Err(format!("the input {input} is no list of arguments"));
            }
            tests
                .calls
                .push(json!({"arguments": input, "expected": output}));
        } else {
            tests.streams.push(Stream {
                stdin: joined(input)?,
                stdout: joined(output)?,
            });
        }
    }
    Ok(())
}

/// What comes before the tests, from all the places that collections have for it.
fn setup(object: &Map<String, Value>) -> Result<String, String> {
    let mut parts = Vec::new();
    for import in list(object, "test_imports")? {
        parts.push(joined(import)?);
    }
    for key in ["setup", "test_setup_code"] {
        parts.extend(text(object, key)?.filter(|text| !text.is_empty()));
    }
    Ok(parts.join("\n"))
}

fn stream(test: &Value) -> Result<Stream, String> {
    let get = |keys: [&str; 2]| {
        let found = keys.iter().find_map(|key| test.get(key));
        let found = found.ok_or_else(|| format!("the test {test} has no {}", keys[0]))?;
        joined(found)
    };
    Ok(Stream {
        stdin: get(["stdin", "input"])?,
        stdout: get(["stdout", "output"])?,
    })
}

/// A text, or lines of text.
fn joined(value: &Value) -> Result<String, String> {
    let no = || format!("{value} is neither a text nor a list of lines");
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Array(lines) => {
            let lines: Option<Vec<&str>> = lines.iter().map(Value::as_str).collect();
            Ok(lines.ok_or_else(no)?.join("\n"))
        }
        _ => Err(no()),
    }
}

fn text(object: &Map<String, Value>, key: &str) -> Result<Option<String>, String> {
    match object.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => Err(format!("{key} is {other}, which is no text")),
    }
}

fn list<'a>(object: &'a Map<String, Value>, key: &str) -> Result<&'a [Value], String> {
    match object.get(key) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(values)) => Ok(values),
        Some(other) => Err(format!("{key} is {other}, which is no list")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_of_common_collections_are_read() {
        let stream = |stdin: &str, stdout: &str| Stream {
            stdin: stdin.to_owned(),
            stdout: stdout.to_owned(),
        };
        let own = tests(r#"{"tests": [{"stdin": "1", "stdout": "2"}]}"#).unwrap();
        assert_eq!(own.streams, [stream("1", "2")]);
        let list = tests(r#"[{"input": "1", "output": "2", "testtype": "stdin"}]"#).unwrap();
        assert_eq!(list, own);
        let apps = tests(r#"{"inputs": ["1", ["3", "4"]], "outputs": ["2", "7"]}"#).unwrap();
        assert_eq!(apps.streams, [stream("1", "2"), stream("3\n4", "7")]);
        let mbpp = tests(
            r#"{"task_id": 1, "test_imports": ["import math"], "test_setup_code": "x = 1",
                "test_list": ["assert f(1) == x"]}"#,
        );
        let mbpp = mbpp.unwrap();
        assert_eq!(mbpp.setup, "import math\nx = 1");
        assert_eq!(mbpp.calls, [Value::from("assert f(1) == x")]);
        let human = tests(r#"{"test": "def check(candidate): …", "entry_point": "f"}"#).unwrap();
        assert_eq!(human.entry.as_deref(), Some("f"));
        assert_eq!(human.calls.len(), 1);
        let called = tests(r#"{"fn_name": "f", "inputs": [[1, 2]], "outputs": [3]}"#).unwrap();
        assert_eq!(called.calls, [json!({"arguments": [1, 2], "expected": 3})]);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let wrong = |answer: &str| tests(answer).unwrap_err();
        assert_eq!(wrong("{}"), "there are no tests");
        assert_eq!(wrong("3"), "it is neither an object nor a list");
        assert_eq!(
            wrong(r#"{"inputs": ["1"], "outputs": []}"#),
            "there are 1 inputs, but 0 outputs"
        );
        assert_eq!(
            wrong(r#"{"tests": [{"stdin": "1"}]}"#),
            r#"the test {"stdin":"1"} has no stdout"#
        );
        assert_eq!(
            wrong(r#"{"asserts": [1]}"#),
            "asserts holds 1, which is no text"
        );
        assert!(wrong("{").starts_with("EOF"));
        assert!(wrong(r#"{"test": "def check(candidate): …"}"#).contains("entry_point"));
    }
}
