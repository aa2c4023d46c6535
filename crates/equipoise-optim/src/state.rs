//! The state of AdamW, in memory and in a file.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use candle_core::{DType, Var};
use safetensors::tensor::{Dtype, SafeTensorError, SafeTensors, View, serialize_to_file};

use crate::OptimError;

/// The metadata key that holds the number of steps. It is the only key: the metadata are stored as
/// a hash map, whose order would make equal states differ in their bytes.
const STEPS_KEY: &str = "adamw_steps";

/// What is remembered for one parameter.
#[derive(Debug, PartialEq)]
pub(crate) struct Slot {
    pub(crate) shape: Vec<usize>,
    pub(crate) first_moment: Vec<f32>,
    pub(crate) second_moment: Vec<f32>,
    /// The parameter in f32; `None` where the parameter itself is f32.
    pub(crate) master: Option<Vec<f32>>,
}

impl Slot {
    /// Moments of zero; the master copy is made by the first step.
    pub(crate) fn new(shape: &[usize]) -> Self {
        let elements = shape.iter().product();
        Self {
            shape: shape.into(),
            first_moment: vec![0.0; elements],
            second_moment: vec![0.0; elements],
            master: None,
        }
    }
}

/// A borrowed f32 array, turned into bytes one tensor at a time.
struct Array<'a> {
    shape: &'a [usize],
    values: &'a [f32],
}

impl View for Array<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }
    fn shape(&self) -> &[usize] {
        self.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        let bytes = self.values.iter().flat_map(|value| value.to_le_bytes());
        Cow::Owned(bytes.collect())
    }
    fn data_len(&self) -> usize {
        size_of_val(self.values)
    }
}

pub(crate) fn save(
    path: &Path,
    steps: u64,
    slots: &BTreeMap<String, Slot>,
) -> Result<(), OptimError> {
    let mut arrays = Vec::with_capacity(3 * slots.len());
    for (name, slot) in slots {
        let mut push = |kind: &str, values| {
            let shape = &slot.shape;
            arrays.push((format!("{kind}.{name}"), Array { shape, values }));
        };
        push("first_moment", &slot.first_moment);
        push("second_moment", &slot.second_moment);
        if let Some(master) = &slot.master {
            push("master", master);
        }
    }
    let metadata = HashMap::from([(STEPS_KEY.to_owned(), steps.to_string())]);

    let partial = partial_path(path);
    let result = serialize_to_file(arrays, Some(metadata), &partial)
        .map_err(into_io)
        .and_then(|()| std::fs::File::open(&partial)?.sync_all())
        .and_then(|()| std::fs::rename(&partial, path));
    result.map_err(|source| {
        // Nothing more can be done if even this fails; the first error is the one to report.
        let _ = std::fs::remove_file(&partial);
        OptimError::File {
            path: path.into(),
            source,
        }
    })
}

/// The steps and slots in the file at `path`, if they fit `parameters` exactly.
pub(crate) fn load(
    path: &Path,
    parameters: &[(&str, &Var)],
) -> Result<(u64, BTreeMap<String, Slot>), OptimError> {
    let damaged = |what: String| OptimError::Damaged {
        path: path.into(),
        what,
    };
    let bytes = std::fs::read(path).map_err(|source| OptimError::File {
        path: path.into(),
        source,
    })?;
    let (_, metadata) =
        SafeTensors::read_metadata(&bytes).map_err(|error| damaged(error.to_string()))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|error| damaged(error.to_string()))?;
    let steps = metadata
        .metadata()
        .as_ref()
        .and_then(|entries| entries.get(STEPS_KEY))
        .ok_or_else(|| damaged(format!("its metadata have no entry {STEPS_KEY}")))?;
    let steps: u64 = steps
        .parse()
        .map_err(|_| damaged(format!("{STEPS_KEY} is {steps:?}, not a whole number")))?;

    // Before the first step there is nothing to remember.
    let expected = if steps == 0 { &[] } else { parameters };
    let mut differences = Vec::new();
    let mut found = 0;
    let mut slots = BTreeMap::new();
    for &(name, parameter) in expected {
        let mut take = |kind: &str| {
            let key = format!("{kind}.{name}");
            let Ok(tensor) = file.tensor(&key) else {
                differences.push(format!("{key} is missing"));
                return Vec::new();
            };
            found += 1;
            let shape = parameter.dims();
            if tensor.dtype() != Dtype::F32 {
                differences.push(format!("{key} is {:?}, expected F32", tensor.dtype()));
            } else if tensor.shape() != shape {
                differences.push(format!(
                    "{key} has shape {:?}, the parameter {shape:?}",
                    tensor.shape()
                ));
            }
            floats(tensor.data())
        };
        let slot = Slot {
            shape: parameter.dims().into(),
            first_moment: take("first_moment"),
            second_moment: take("second_moment"),
            master: (parameter.dtype() != DType::F32).then(|| take("master")),
        };
        slots.insert(name.to_owned(), slot);
    }
    if found < file.len() {
        differences.extend(unexpected(&file, &slots));
    }
    if differences.is_empty() {
        Ok((steps, slots))
    } else {
        Err(OptimError::OtherParameters {
            path: path.into(),
            differences,
        })
    }
}

/// The tensors of the file that belong to no parameter of the run.
fn unexpected(file: &SafeTensors<'_>, slots: &BTreeMap<String, Slot>) -> Vec<String> {
    let mut names: Vec<&str> = file.names();
    names.sort_unstable();
    let is_known = |key: &str| {
        let Some((kind, name)) = key.split_once('.') else {
            return false;
        };
        match kind {
            "first_moment" | "second_moment" => slots.contains_key(name),
            "master" => slots.get(name).is_some_and(|slot| slot.master.is_some()),
            _ => false,
        }
    };
    names
        .into_iter()
        .filter(|key| !is_known(key))
        .map(|key| format!("{key} belongs to no parameter"))
        .collect()
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes
        .chunks_exact(4)
        .map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
        .collect()
}

/// `dir/.NAME.partial` for `dir/NAME`: hidden, and on the same file system as the target.
fn partial_path(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".partial");
    path.with_file_name(name)
}

fn into_io(error: SafeTensorError) -> std::io::Error {
    match error {
        SafeTensorError::IoError(error) => error,
        other => std::io::Error::other(other.to_string()),
    }
}
