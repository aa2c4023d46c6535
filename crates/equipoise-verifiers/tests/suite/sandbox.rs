//! A program that cannot launch a sandbox says so.

use equipoise_verifiers::sandbox::{Command, Sandbox, SandboxError, SandboxOptions};
use equipoise_verifiers::{Code, Verdict, Verifier};

use crate::problem;

#[test]
fn a_program_that_is_no_launcher_is_told_what_to_do() {
    let sandbox = Sandbox::new(SandboxOptions::default());
    let error = sandbox.run(&Command::new("true", [])).unwrap_err();
    if cfg!(target_os = "linux") {
        assert!(matches!(error, SandboxError::NoLauncher), "{error}");
        assert!(error.to_string().contains("launch_if_asked"), "{error}");
    } else {
        assert!(matches!(error, SandboxError::Level { .. }), "{error}");
    }
    let code = Code::python(sandbox);
    let answer = problem(r#"{"tests": [{"stdin": "", "stdout": "1"}]}"#);
    let Verdict::Unscorable { why } = code.verify(&answer, "print(1)") else {
        panic!("scored without a sandbox");
    };
    assert!(why.starts_with("problem 7 of test: code: "), "{why}");
}
