//! Generated code in the sandbox: attacks on it, and the verifier that is built on it.

use equipoise_verifiers::sandbox::{self, Command, Sandbox, SandboxOptions};

fn main() {
    sandbox::launch_if_asked();
    let s = Sandbox::new(SandboxOptions::default());
    let t = std::time::Instant::now();
    let o = s.run(&Command::new("python3", ["-c", "import os; print(os.listdir('/'), os.getpid(), os.getuid(), os.listdir('/proc'), os.environ)"]));
    println!("{o:?} {:?}", t.elapsed());
    match o {
        Ok(o) => println!(
            "{}\n{}\n{}",
            String::from_utf8_lossy(&o.stdout),
            String::from_utf8_lossy(&o.stderr),
            o.enforcement
        ),
        Err(e) => println!("{e}"),
    }
}
