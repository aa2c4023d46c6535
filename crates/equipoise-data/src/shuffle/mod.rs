//! Rows in random order without the file in memory.

mod cursor;
mod mixed;

use std::path::PathBuf;

use equipoise_core::{Domain, Stream};

use crate::rows::{
    DataError, FileReport, Located, Pipeline, RowAddress, RowOptions, RowReader, RowSchema,
};
pub use cursor::Cursor;
use cursor::Fingerprint;
pub use mixed::{MixedCursor, StreamingMixture};

/// The places of the draws and of the orders of files among the streams of [`Domain::Shuffle`]; those
/// below are taken by problems, demonstrations and mixtures. A source takes two.
const DRAWS: u64 = 3;
const FILES: u64 = 4;

/// An item with the number of the file it comes from.
type OfFile<S> = (usize, Located<<S as RowSchema>::Item>);

/// What a [`StreamingShuffle`] reads, and how.
#[derive(Clone, Debug)]
pub struct ShuffleOptions {
    /// The files, such as the shards of one data set; at least one.
    pub files: Vec<PathBuf>,
    /// How their rows become items.
    pub rows: RowOptions,
    /// How many items are held in memory, at least 1: an item moves forward by at most this many
    /// places, so a small buffer shuffles little.
    pub buffer: usize,
    /// The seed of the order.
    pub seed: u64,
    /// The number of this data set among others of the same run, so that their orders differ.
    pub source: u64,
    /// After how many epochs the stream ends; `None` for never.
    pub epochs: Option<u64>,
}

impl ShuffleOptions {
    /// One file, a buffer of 10 000 items, seed 0, without end.
    pub fn new(file: impl Into<PathBuf>) -> Self {
        Self {
            files: vec![file.into()],
            rows: RowOptions::default(),
            buffer: 10_000,
            seed: 0,
            source: 0,
            epochs: None,
        }
    }
}

/// The items of files in random order, epoch after epoch, with a bounded number of them in memory.
///
/// An epoch goes through the files in an order of its own, drawn from the stream at
/// `(seed, Domain::Shuffle, [epoch, 4 + 2·source, 0])`. A buffer is kept full from what is read; draw d
/// of the epoch takes the item at a place of the buffer that is uniform, from the stream at
/// `[epoch, 3 + 2·source, d]`. So an epoch has every item exactly once, and the buffer is empty at its
/// end. Nothing but the position is state: no generator is saved.
///
/// [`cursor`](Self::cursor) is that position, and [`resume`](Self::resume) goes on from it exactly as
/// if the stream had not stopped. Files are recognised by length and BLAKE3 of their whole content; for
/// that, opening reads them once.
///
/// The form of the items, string or conversation, is that of the first readable row of the first file.
/// Bad rows and filtered rows are counted in the first epoch.
///
/// ```
/// use equipoise_data::{ExampleKind, ShuffleOptions, StreamingShuffle};
///
/// let directory = tempfile::tempdir()?;
/// let path = directory.path().join("texts.jsonl");
/// std::fs::write(&path, "{\"text\": \"a\"}\n{\"text\": \"b\"}\n{\"text\": \"c\"}\n")?;
/// let options = ShuffleOptions { buffer: 2, epochs: Some(1), ..ShuffleOptions::new(&path) };
/// let open = || StreamingShuffle::open(ExampleKind::LanguageModeling, options.clone());
///
/// let whole: Vec<_> = open()?.collect::<Result<_, _>>()?;
/// assert_eq!(whole.len(), 3);
///
/// let mut stopped = open()?;
/// stopped.next();
/// let saved = serde_json::to_string(&stopped.cursor())?;
/// let saved = serde_json::from_str(&saved)?;
/// let resumed = StreamingShuffle::resume(ExampleKind::LanguageModeling, options.clone(), &saved)?;
/// assert_eq!(resumed.collect::<Result<Vec<_>, _>>()?, whole[1..]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct StreamingShuffle<S: RowSchema> {
    options: ShuffleOptions,
    pipeline: Pipeline<S>,
    fingerprints: Vec<Fingerprint>,
    reports: Vec<FileReport>,
    epoch: u64,
    drawn: u64,
    /// The files in the order of this epoch.
    order: Vec<usize>,
    /// Which of `order` is being read.
    file: usize,
    /// Where in it the next row is.
    next: RowAddress,
    reader: Option<RowReader>,
    buffer: Vec<OfFile<S>>,
    ended: bool,
}

impl<S: RowSchema> StreamingShuffle<S> {
    /// Starts at the beginning.
    ///
    /// # Errors
    /// A file that cannot be read, or an option that is impossible.
    pub fn open(schema: S, options: ShuffleOptions) -> Result<Self, DataError> {
        let setting = |key: &str, expected: &str| DataError::Setting {
            key: key.into(),
            got: "0".into(),
            expected: expected.into(),
        };
        if options.buffer == 0 {
            return Err(setting("buffer", "it must be at least 1"));
        }
        if options.files.is_empty() {
            return Err(setting("files", "name at least one file"));
        }
        let mut pipeline = Pipeline::new(schema, &options.rows)?;
        pipeline.settle(&options.files)?;
        let fingerprints = options.files.iter().map(|path| Fingerprint::of(path));
        Ok(Self {
            fingerprints: fingerprints.collect::<Result<_, _>>()?,
            reports: options.files.iter().map(FileReport::new).collect(),
            epoch: 0,
            drawn: 0,
            order: order(&options, 0),
            file: 0,
            next: RowAddress::START,
            reader: None,
            buffer: Vec::new(),
            ended: false,
            options,
            pipeline,
        })
    }

    /// Goes on where a stream with the same options was.
    ///
    /// # Errors
    /// As [`open`](Self::open); a file that has changed since; and a cursor of a stream with another
    /// seed, buffer, or number of files.
    pub fn resume(schema: S, options: ShuffleOptions, cursor: &Cursor) -> Result<Self, DataError> {
        let mut stream = Self::open(schema, options)?;
        stream.restore(cursor)?;
        Ok(stream)
    }

    fn restore(&mut self, cursor: &Cursor) -> Result<(), DataError> {
        let options = &self.options;
        let same = |key: &str, now: u64, then: u64| match now == then {
            true => Ok(()),
            false => Err(DataError::Setting {
                key: key.into(),
                got: now.to_string(),
                expected: format!("the saved position is of a stream with {then}"),
            }),
        };
        same("seed", options.seed, cursor.seed)?;
        same("source", options.source, cursor.source)?;
        same("buffer", options.buffer as u64, cursor.buffer as u64)?;
        let files = options.files.len() as u64;
        same("the number of files", files, cursor.files.len() as u64)?;
        same("the number of files", files, cursor.reports.len() as u64)?;
        let checked = self
            .fingerprints
            .iter()
            .zip(&cursor.files)
            .zip(&options.files);
        for ((now, then), path) in checked {
            then.check(now, path)?;
        }
        self.buffer = self.read_again(&cursor.rows)?;
        let options = &self.options;
        let reports = cursor.reports.iter().zip(&options.files);
        self.reports = reports
            .map(|(report, path)| FileReport {
                path: path.clone(),
                ..report.clone()
            })
            .collect();
        self.order = order(options, cursor.epoch);
        (self.epoch, self.drawn) = (cursor.epoch, cursor.drawn);
        (self.file, self.next) = (cursor.file, cursor.next);
        Ok(())
    }

    /// The items of these rows, in the order given; read in the order of the files.
    fn read_again(&mut self, rows: &[(usize, RowAddress)]) -> Result<Vec<OfFile<S>>, DataError> {
        if let Some((file, _)) = rows
            .iter()
            .find(|(file, _)| *file >= self.options.files.len())
        {
            return Err(DataError::Setting {
                key: "the saved position".into(),
                got: format!("a row of file {file}"),
                expected: format!("there are {} files, from 0", self.options.files.len()),
            });
        }
        let mut sorted: Vec<usize> = (0..rows.len()).collect();
        sorted.sort_by_key(|&at| rows[at]);
        let mut found = vec![None; rows.len()];
        let mut open: Option<(usize, RowReader)> = None;
        for at in sorted {
            let (file, address) = rows[at];
            let path = &self.options.files[file];
            let lost = || DataError::Changed {
                path: path.clone(),
                what: format!("a row was at line {} and is not there", address.line),
            };
            let mut reader = match open.take() {
                Some((of, reader)) if of == file => reader,
                _ => RowReader::open(path)?,
            };
            if reader.next_address() != address {
                reader.seek(address)?;
            }
            let raw = reader.next().ok_or_else(lost)?;
            // These rows were counted when they were read first.
            let item = self.pipeline.item(raw, &mut FileReport::default())?;
            let item = item
                .filter(|item| item.address == address)
                .ok_or_else(lost)?;
            found[at] = Some((file, item));
            open = Some((file, reader));
        }
        Ok(found.into_iter().flatten().collect())
    }

    /// The position behind the items that were taken so far.
    pub fn cursor(&self) -> Cursor {
        let rows = self.buffer.iter();
        Cursor {
            seed: self.options.seed,
            source: self.options.source,
            buffer: self.options.buffer,
            epoch: self.epoch,
            drawn: self.drawn,
            file: self.file,
            next: self.next,
            rows: rows.map(|(file, item)| (*file, item.address)).collect(),
            reports: self.reports.clone(),
            files: self.fingerprints.clone(),
        }
    }

    /// The epoch of the item that was taken last, from 0.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// What became of the rows of each file, as far as they were read in the first epoch.
    pub fn reports(&self) -> &[FileReport] {
        &self.reports
    }

    /// The next item in the order of the files; `None` at the end of the epoch.
    fn pull(&mut self) -> Result<Option<OfFile<S>>, DataError> {
        while let Some(&file) = self.order.get(self.file) {
            let reader = match &mut self.reader {
                Some(reader) => reader,
                none => {
                    let mut reader = RowReader::open(&self.options.files[file])?;
                    if self.next != RowAddress::START {
                        reader.seek(self.next)?;
                    }
                    none.insert(reader)
                }
            };
            let counted = self.epoch == 0;
            let mut uncounted = FileReport::default();
            let report = if counted {
                &mut self.reports[file]
            } else {
                &mut uncounted
            };
            let Some(raw) = reader.next() else {
                if counted {
                    report.finish(self.pipeline.on_bad_row)?;
                }
                (self.file, self.next, self.reader) = (self.file + 1, RowAddress::START, None);
                continue;
            };
            let item = self.pipeline.item(raw, report)?;
            // Not before the row is known to be readable: a position saved after an error is in front of
            // what was wrong.
            self.next = reader.next_address();
            if let Some(item) = item {
                return Ok(Some((file, item)));
            }
        }
        Ok(None)
    }

    fn draw(&mut self) -> Result<Option<Located<S::Item>>, DataError> {
        loop {
            if self
                .options
                .epochs
                .is_some_and(|epochs| self.epoch >= epochs)
            {
                return Ok(None);
            }
            while self.buffer.len() < self.options.buffer {
                match self.pull()? {
                    Some(item) => self.buffer.push(item),
                    None => break,
                }
            }
            if !self.buffer.is_empty() {
                let kind = DRAWS + 2 * self.options.source;
                let coordinates = [self.epoch, kind, self.drawn];
                let mut stream = Stream::new(self.options.seed, Domain::Shuffle, coordinates);
                let place = stream.below(self.buffer.len() as u64) as usize;
                self.drawn = self.drawn.wrapping_add(1);
                return Ok(Some(self.buffer.swap_remove(place).1));
            }
            if self.drawn == 0 {
                return Err(self.nothing_left());
            }
            self.epoch = self.epoch.wrapping_add(1);
            self.order = order(&self.options, self.epoch);
            (self.drawn, self.file, self.next) = (0, 0, RowAddress::START);
        }
    }

    fn nothing_left(&self) -> DataError {
        let left_out: Vec<String> = self.reports.iter().flat_map(FileReport::left_out).collect();
        DataError::NothingLeft {
            path: self.options.files[0].clone(),
            rows: self.reports.iter().map(|report| report.rows).sum(),
            why: left_out.join(", "),
        }
    }
}

impl<S: RowSchema> Iterator for StreamingShuffle<S> {
    type Item = Result<Located<S::Item>, DataError>;

    /// The next item. An error is the last.
    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.draw().transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}

/// The files in the order of an epoch.
fn order(options: &ShuffleOptions, epoch: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..options.files.len()).collect();
    let coordinates = [epoch, FILES + 2 * options.source, 0];
    Stream::new(options.seed, Domain::Shuffle, coordinates).shuffle(&mut order);
    order
}
