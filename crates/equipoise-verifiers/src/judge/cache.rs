//! Replies that are known already.

use std::collections::{HashMap, VecDeque};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What identifies a request: the hash of the address and the body.
pub(super) type Key = blake3::Hash;

/// Replies by request, in memory and perhaps in a directory.
#[derive(Debug)]
pub(super) struct Cache {
    memory: Mutex<Memory>,
    directory: Option<PathBuf>,
}

#[derive(Debug)]
struct Memory {
    replies: HashMap<Key, String>,
    /// From the oldest on.
    order: VecDeque<Key>,
    capacity: usize,
}

/// A reply as a file holds it.
#[derive(Serialize, Deserialize)]
struct Entry {
    request: Value,
    reply: String,
}

impl Cache {
    pub(super) fn new(capacity: usize, directory: Option<PathBuf>) -> std::io::Result<Self> {
        if let Some(directory) = &directory {
            fs::create_dir_all(directory)?;
        }
        let memory = Mutex::new(Memory {
            replies: HashMap::new(),
            order: VecDeque::new(),
            capacity,
        });
        Ok(Self { memory, directory })
    }

    /// The reply to a request. A file that is damaged, or holds another request, counts as none.
    pub(super) fn get(&self, key: &Key, request: &Value) -> Option<String> {
        if let Some(reply) = self.memory().replies.get(key) {
            return Some(reply.clone());
        }
        let bytes = fs::read(file(self.directory.as_ref()?, key)).ok()?;
        let entry: Entry = serde_json::from_slice(&bytes).ok()?;
        if entry.request != *request {
            return None;
        }
        self.memory().insert(*key, entry.reply.clone());
        Some(entry.reply)
    }

    /// Keeps a reply.
    pub(super) fn put(&self, key: &Key, request: &Value, reply: &str) {
        self.memory().insert(*key, reply.to_owned());
        if let Some(directory) = &self.directory {
            let entry = Entry {
                request: request.clone(),
                reply: reply.to_owned(),
            };
            // A reply that cannot be kept, on a full disk say, is asked for again: that costs time
            // and changes no verdict.
            let _ = write(&file(directory, key), &entry);
        }
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        // At worst an entry is in `replies` and not yet in `order`, and stays there.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    fn insert(&mut self, key: Key, reply: String) {
        if self.capacity == 0 || self.replies.insert(key, reply).is_some() {
            return;
        }
        self.order.push_back(key);
        if self.order.len() > self.capacity
            && let Some(oldest) = self.order.pop_front()
        {
            self.replies.remove(&oldest);
        }
    }
}

/// Where a reply lies. The first two digits are a directory, for file systems that are slow where
/// one directory has very many files.
fn file(directory: &Path, key: &Key) -> PathBuf {
    let hex = key.to_hex();
    let (first, rest) = hex.split_at(2);
    directory.join(first).join(format!("{rest}.json"))
}

/// Writes a file so that it is there whole or not at all, whoever else writes it.
fn write(path: &Path, entry: &Entry) -> std::io::Result<()> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let directory = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(directory)?;
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let temporary = path.with_extension(format!("{}-{number}.tmp", std::process::id()));
    let written = fs::File::create(&temporary)
        .and_then(|mut file| {
            file.write_all(&serde_json::to_vec(entry)?)?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_oldest_goes_first() {
        let cache = Cache::new(2, None).unwrap();
        let keys = [b"a", b"b", b"c"].map(|text| blake3::hash(text));
        for key in &keys {
            cache.put(key, &json!(1), "x");
        }
        let kept = keys.map(|key| cache.get(&key, &json!(1)).is_some());
        assert_eq!(kept, [false, true, true]);
    }

    #[test]
    fn files_are_whole_or_do_not_count() {
        let directory = tempfile::tempdir().unwrap();
        let open = || Cache::new(0, Some(directory.path().to_owned())).unwrap();
        let (key, request) = (blake3::hash(b"a"), json!({"n": 1}));
        open().put(&key, &request, "reply");
        assert_eq!(open().get(&key, &request).as_deref(), Some("reply"));
        assert_eq!(open().get(&key, &json!({"n": 2})), None);
        let path = file(directory.path(), &key);
        let folder = fs::read_dir(path.parent().unwrap()).unwrap();
        assert_eq!(folder.count(), 1, "nothing temporary is left");
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        assert_eq!(open().get(&key, &request), None);
        open().put(&key, &request, "again");
        assert_eq!(open().get(&key, &request).as_deref(), Some("again"));
    }
}
