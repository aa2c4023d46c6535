//! An endpoint of the tests' own, on this machine, that does as it is told.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::{Value, json};

/// What the endpoint does with a request.
pub(crate) enum Act {
    /// Replies with a text.
    Say(String),
    /// Answers with a status, headers and a body.
    Answer(u16, &'static str, String),
    /// Waits, and then replies with a text.
    Wait(Duration, String),
    /// Never ends its answer.
    Flood,
    /// Closes the connection.
    Hang,
}

/// What was asked.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) head: String,
    pub(crate) body: Value,
}

impl Request {
    /// What the user said.
    pub(crate) fn prompt(&self) -> &str {
        let messages = self.body["messages"].as_array().unwrap();
        messages.last().unwrap()["content"].as_str().unwrap()
    }
}

type Plan = dyn Fn(usize, &Request) -> Act + Send + Sync;

/// The endpoint; it is gone when dropped.
pub(crate) struct Server {
    port: u16,
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

struct State {
    plan: Box<Plan>,
    requests: Mutex<Vec<Request>>,
    under_way: AtomicUsize,
    most_under_way: AtomicUsize,
    ended: AtomicBool,
}

impl Server {
    /// An endpoint that does with request number n, from 0, what `plan` says.
    pub(crate) fn new(plan: impl Fn(usize, &Request) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State {
            plan: Box::new(plan),
            requests: Mutex::default(),
            under_way: AtomicUsize::new(0),
            most_under_way: AtomicUsize::new(0),
            ended: AtomicBool::new(false),
        });
        let shared = state.clone();
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.ended.load(Ordering::SeqCst) {
                    return;
                }
                let shared = shared.clone();
                // A client that has gone away is no failure of the endpoint.
                thread::spawn(move || stream.and_then(|stream| shared.serve(stream)));
            }
        });
        Self {
            port,
            state,
            thread: Some(thread),
        }
    }

    pub(crate) fn address(&self) -> String {
        format!("http://127.0.0.1:{}/v1", self.port)
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.state.requests.lock().unwrap().clone()
    }

    /// How many requests were under way at once, at most.
    pub(crate) fn most_under_way(&self) -> usize {
        self.state.most_under_way.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::SeqCst);
        // Wakes the thread that waits for connections.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl State {
    fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 || line == "\r\n" {
                break;
            }
            if let Some(number) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = number.trim().parse().unwrap();
            }
            head.push_str(&line);
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let request = Request {
            head,
            body: serde_json::from_slice(&body).unwrap(),
        };
        let number = {
            let mut requests = self.requests.lock().unwrap();
            requests.push(request.clone());
            requests.len() - 1
        };
        let now = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_under_way.fetch_max(now, Ordering::SeqCst);
        let mut act = (self.plan)(number, &request);
        if let Act::Wait(time, text) = act {
            thread::sleep(time);
            act = Act::Say(text);
        }
        // Before the reply: whoever has it may ask again at once.
        self.under_way.fetch_sub(1, Ordering::SeqCst);
        self.act(&mut stream, act)
    }

    fn act(&self, stream: &mut TcpStream, act: Act) -> std::io::Result<()> {
        match act {
            Act::Say(text) | Act::Wait(_, text) => answer(stream, 200, "", &completion(&text)),
            Act::Answer(status, headers, body) => answer(stream, status, headers, &body),
            Act::Flood => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
                while !self.ended.load(Ordering::SeqCst) {
                    stream.write_all(&[b' '; 65536])?;
                }
                Ok(())
            }
            Act::Hang => Ok(()),
        }
    }
}

fn completion(text: &str) -> String {
    let message = json!({"role": "assistant", "content": text});
    json!({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}).to_string()
}

fn answer(stream: &mut TcpStream, status: u16, headers: &str, body: &str) -> std::io::Result<()> {
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n{headers}Connection: close\r\n\r\n{body}"
    )
}
