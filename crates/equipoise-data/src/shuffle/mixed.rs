//! Several streams as one, in fixed proportions.

use serde::{Deserialize, Serialize};

use super::{Cursor, ShuffleOptions, StreamingShuffle};
use crate::mixture::SourceMixture;
use crate::rows::{DataError, Located, RowSchema};

/// Several [`StreamingShuffle`]s as one stream, whose proportions a [`SourceMixture`] keeps. Each goes through
/// its own epochs. The stream ends with the first of them that ends.
#[derive(Debug)]
pub struct StreamingMixture<S: RowSchema> {
    mixture: SourceMixture,
    weights: Vec<f64>,
    seed: u64,
    streams: Vec<StreamingShuffle<S>>,
    drawn: u64,
}

/// The position of a [`StreamingMixture`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MixedCursor {
    seed: u64,
    weights: Vec<f64>,
    drawn: u64,
    streams: Vec<Cursor>,
}

impl<S: RowSchema + Clone> StreamingMixture<S> {
    /// Starts at the beginning. Sources come with their weights, of which only the ratios count; the
    /// number of a source is its place here.
    ///
    /// # Errors
    /// As [`StreamingShuffle::open`], and a weight that is not above 0.
    pub fn open(
        schema: &S,
        sources: Vec<(ShuffleOptions, f64)>,
        seed: u64,
    ) -> Result<Self, DataError> {
        let weights: Vec<f64> = sources.iter().map(|(_, weight)| *weight).collect();
        let mixture = SourceMixture::new(&weights, seed)?;
        let streams = (0..).zip(sources).map(|(source, (options, _))| {
            let options = ShuffleOptions { source, ..options };
            StreamingShuffle::open(schema.clone(), options)
        });
        Ok(Self {
            streams: streams.collect::<Result<_, _>>()?,
            mixture,
            weights,
            seed,
            drawn: 0,
        })
    }

    /// Goes on where a stream with the same options was.
    ///
    /// # Errors
    /// As [`open`](Self::open) and [`StreamingShuffle::resume`].
    pub fn resume(
        schema: &S,
        sources: Vec<(ShuffleOptions, f64)>,
        seed: u64,
        cursor: &MixedCursor,
    ) -> Result<Self, DataError> {
        let mut mixture = Self::open(schema, sources, seed)?;
        let differs = |key: &str, got: String, then: String| DataError::Setting {
            key: key.into(),
            got,
            expected: format!("the saved position is of a mixture with {then}"),
        };
        if seed != cursor.seed {
            return Err(differs("seed", seed.to_string(), cursor.seed.to_string()));
        }
        if mixture.weights != cursor.weights || cursor.streams.len() != cursor.weights.len() {
            let (now, then) = (&mixture.weights, &cursor.weights);
            return Err(differs("weights", format!("{now:?}"), format!("{then:?}")));
        }
        for (stream, cursor) in mixture.streams.iter_mut().zip(&cursor.streams) {
            stream.restore(cursor)?;
        }
        mixture.drawn = cursor.drawn;
        Ok(mixture)
    }
}

impl<S: RowSchema> StreamingMixture<S> {
    /// The position behind the items that were taken so far.
    pub fn cursor(&self) -> MixedCursor {
        MixedCursor {
            seed: self.seed,
            weights: self.weights.clone(),
            drawn: self.drawn,
            streams: self.streams.iter().map(StreamingShuffle::cursor).collect(),
        }
    }

    /// The streams, in the order of the sources: for their epochs and reports.
    pub fn streams(&self) -> &[StreamingShuffle<S>] {
        &self.streams
    }
}

impl<S: RowSchema> Iterator for StreamingMixture<S> {
    /// The number of the source, and the item.
    type Item = Result<(usize, Located<S::Item>), DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (source, _) = self.mixture.locate(self.drawn);
        match self.streams[source].next()? {
            Ok(item) => {
                self.drawn += 1;
                Some(Ok((source, item)))
            }
            Err(error) => Some(Err(error)),
        }
    }
}
