//! The records of a run as JSON lines in its directory.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::tracker::first_error;
use crate::{Event, Tracker, TrackingError};

/// The file of the metrics in a run's directory.
pub const METRICS_FILE: &str = "metrics.jsonl";
/// The file of the timings in a run's directory.
pub const TIMINGS_FILE: &str = "timings.jsonl";
/// The file of the sampled completions in a run's directory.
pub const COMPLETIONS_FILE: &str = "completions.jsonl";

/// How much of each file is complete: what a checkpoint saves, and where a resumed run goes on. The
/// default is a run that has recorded nothing.
///
/// It does not depend on the clock: how many bytes a timing takes does, how many timings there are does
/// not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Positions {
    /// Bytes of [`METRICS_FILE`].
    pub metrics: u64,
    /// Lines of [`TIMINGS_FILE`].
    pub timings: u64,
    /// Bytes of [`COMPLETIONS_FILE`].
    pub completions: u64,
}

/// Writes each event as one line of JSON into a run's directory.
///
/// What depends on the clock has a file of its own, so that [`METRICS_FILE`] and
/// [`COMPLETIONS_FILE`] of two equal runs are equal byte for byte. Notes are not kept.
///
/// After an error the files may end in part of a line; [`JsonlTracker::resume`] removes it.
pub struct JsonlTracker {
    metrics: Lines,
    timings: Lines,
    timing_lines: u64,
    completions: Lines,
}

impl JsonlTracker {
    /// Starts the records of a new run in `dir`, which is created if need be.
    ///
    /// # Errors
    /// [`TrackingError::Exists`] if one of the files is there and not empty, before anything is
    /// changed; [`TrackingError::Io`] if a file cannot be created.
    pub fn create(dir: &Path) -> Result<Self, TrackingError> {
        fs::create_dir_all(dir).map_err(TrackingError::io("create", dir))?;
        for name in [METRICS_FILE, TIMINGS_FILE, COMPLETIONS_FILE] {
            let path = dir.join(name);
            if length(&path)? > 0 {
                return Err(TrackingError::Exists { path });
            }
        }
        Self::open(dir, Positions::default(), 0)
    }

    /// Goes on with the records of an interrupted run: each file is cut to what it was at the
    /// checkpoint, which removes the records of later steps and a line that a crash left
    /// unfinished.
    ///
    /// # Errors
    /// [`TrackingError::TooShort`] or [`TrackingError::TooFewLines`] if a file is shorter than that,
    /// [`TrackingError::NotALine`] if no record ends there; all are found before any file is changed.
    /// [`TrackingError::Io`] if a file cannot be read or cut.
    pub fn resume(dir: &Path, positions: Positions) -> Result<Self, TrackingError> {
        for (name, offset) in [
            (METRICS_FILE, positions.metrics),
            (COMPLETIONS_FILE, positions.completions),
        ] {
            check_border(dir.join(name), offset)?;
        }
        let timings = end_of_line(dir.join(TIMINGS_FILE), positions.timings)?;
        Self::open(dir, positions, timings)
    }

    /// `timings` is the length in bytes that `positions` says in lines.
    fn open(dir: &Path, positions: Positions, timings: u64) -> Result<Self, TrackingError> {
        Ok(Self {
            metrics: Lines::open(dir.join(METRICS_FILE), positions.metrics)?,
            timings: Lines::open(dir.join(TIMINGS_FILE), timings)?,
            timing_lines: positions.timings,
            completions: Lines::open(dir.join(COMPLETIONS_FILE), positions.completions)?,
        })
    }

    /// Writes everything through to the disk and returns how far each file goes. A checkpoint that
    /// holds these numbers can be resumed even if the machine stops right after it.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn positions(&mut self) -> Result<Positions, TrackingError> {
        self.flush()?;
        first_error(self.files().map(|lines| lines.sync()))?;
        Ok(Positions {
            metrics: self.metrics.offset,
            timings: self.timing_lines,
            completions: self.completions.offset,
        })
    }

    fn files(&mut self) -> impl Iterator<Item = &mut Lines> {
        [&mut self.metrics, &mut self.timings, &mut self.completions].into_iter()
    }
}

impl Tracker for JsonlTracker {
    fn record(&mut self, event: &Event<'_>) -> Result<(), TrackingError> {
        match event {
            Event::Metrics(record) => self.metrics.write(&record.stage, record.step, record),
            Event::Timing(record) => {
                self.timings.write(&record.stage, record.step, record)?;
                self.timing_lines += 1;
                Ok(())
            }
            Event::Completion(record) => self.completions.write(&record.stage, record.step, record),
            Event::Note(_) => Ok(()),
        }
    }

    fn flush(&mut self) -> Result<(), TrackingError> {
        first_error(self.files().map(|lines| lines.flush()))
    }
}

/// A file that grows by whole lines.
struct Lines {
    path: PathBuf,
    writer: BufWriter<File>,
    /// The length of the file once everything buffered is written.
    offset: u64,
}

impl Lines {
    /// Opens or creates the file and cuts it to `offset` bytes.
    fn open(path: PathBuf, offset: u64) -> Result<Self, TrackingError> {
        let open = || -> io::Result<File> {
            let mut options = OpenOptions::new();
            let mut file = options
                .write(true)
                .create(true)
                .truncate(false)
                .open(&path)?;
            if file.metadata()?.len() != offset {
                file.set_len(offset)?;
            }
            file.seek(SeekFrom::Start(offset))?;
            Ok(file)
        };
        let file = open().map_err(TrackingError::io("open", &path))?;
        Ok(Self {
            path,
            writer: BufWriter::new(file),
            offset,
        })
    }

    fn write(
        &mut self,
        stage: &str,
        step: u64,
        record: &impl Serialize,
    ) -> Result<(), TrackingError> {
        let mut line = serde_json::to_vec(record).map_err(|source| TrackingError::Record {
            stage: stage.to_owned(),
            step,
            source,
        })?;
        line.push(b'\n');
        let written = self.writer.write_all(&line);
        written.map_err(TrackingError::io("write", &self.path))?;
        self.offset += line.len() as u64;
        Ok(())
    }

    fn flush(&mut self) -> Result<(), TrackingError> {
        let flushed = self.writer.flush();
        flushed.map_err(TrackingError::io("write", &self.path))
    }

    fn sync(&mut self) -> Result<(), TrackingError> {
        let synced = self.writer.get_ref().sync_data();
        synced.map_err(TrackingError::io("write", &self.path))
    }
}

/// The length of a file; 0 if there is none.
fn length(path: &Path) -> Result<u64, TrackingError> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(metadata.len()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(TrackingError::io("read", path)(error)),
    }
}

/// Where line `count` of a file ends, in bytes.
fn end_of_line(path: PathBuf, count: u64) -> Result<u64, TrackingError> {
    if count == 0 {
        return Ok(0);
    }
    let (mut lines, mut end) = (0, 0);
    let mut scan = || -> io::Result<()> {
        let mut reader = BufReader::new(File::open(&path)?);
        let mut line = Vec::new();
        while lines < count {
            line.clear();
            reader.read_until(b'\n', &mut line)?;
            if line.last() != Some(&b'\n') {
                break;
            }
            lines += 1;
            end += line.len() as u64;
        }
        Ok(())
    };
    match scan() {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(TrackingError::io("read", &path)(error));
        }
        _ => {}
    }
    if lines < count {
        return Err(TrackingError::TooFewLines { path, lines, count });
    }
    Ok(end)
}

/// Checks that a record ends at `offset`.
fn check_border(path: PathBuf, offset: u64) -> Result<(), TrackingError> {
    let length = length(&path)?;
    if length < offset {
        return Err(TrackingError::TooShort {
            path,
            length,
            offset,
        });
    }
    if offset == 0 {
        return Ok(());
    }
    let mut last = [0_u8];
    let mut read = || -> io::Result<()> {
        let mut file = File::open(&path)?;
        file.seek(SeekFrom::Start(offset - 1))?;
        file.read_exact(&mut last)
    };
    read().map_err(TrackingError::io("read", &path))?;
    if last != *b"\n" {
        return Err(TrackingError::NotALine { path, offset });
    }
    Ok(())
}
