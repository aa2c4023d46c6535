//! Checkpoints that are whole, damaged, replaced or stopped half way.

use super::*;

fn write(run: &Path, name: &str) -> PathBuf {
    let state = Checkpoint::new(
        Progress::default(),
        false,
        Positions::default(),
        "r".into(),
        BTreeMap::new(),
    );
    let fill = |directory: &Path| {
        let path = directory.join("weights");
        fs::write(&path, b"1234").map_err(TrainError::file("write", &path))
    };
    state.write(run, name, fill).unwrap()
}

#[test]
fn every_byte_is_checked() {
    let run = tempfile::tempdir().unwrap();
    let path = write(run.path(), "000007-0sft-000007");
    assert_eq!(Checkpoint::read(&path).unwrap().recipe, "r");
    let state = fs::read_to_string(path.join(STATE)).unwrap();
    fs::write(
        path.join(STATE),
        state.replace("\"step\": 0", "\"step\": 9"),
    )
    .unwrap();
    let error = Checkpoint::read(&path).unwrap_err().to_string();
    assert!(
        error.contains("state.json is not as it was written"),
        "{error}"
    );
    let other = state.replace("\"format\": 2", "\"format\": 1");
    let other = other.replace("\"inputs\": {},", "");
    fs::write(path.join(STATE), other).unwrap();
    let error = Checkpoint::read(&path).unwrap_err().to_string();
    assert!(
        error.contains("it has layout 1, and this version reads 2"),
        "{error}"
    );
    fs::write(path.join(STATE), state).unwrap();
    fs::write(path.join("weights"), b"1235").unwrap();
    let error = Checkpoint::read(&path).unwrap_err().to_string();
    assert!(
        error.contains("weights is not as it was written"),
        "{error}"
    );
}

#[test]
fn the_newest_is_found_by_number_and_other_directories_are_left_alone() {
    let run = tempfile::tempdir().unwrap();
    let mine = folder(run.path()).join("zebra");
    fs::create_dir_all(&mine).unwrap();
    for name in [
        "000100-0sft-000100",
        "999950-1rl-999850",
        "1000000-1rl-999900",
    ] {
        write(run.path(), name);
    }
    let last = write(run.path(), "1000050-1rl-999950");
    assert_eq!(newest(run.path()).unwrap(), Some(last));
    assert!(mine.is_dir());
    let names = all(&folder(run.path())).unwrap();
    let names: Vec<_> = names
        .iter()
        .filter_map(|path| path.file_name()?.to_str())
        .collect();
    // The last of the finished stage, and the newest two of the current one.
    assert_eq!(
        names,
        [
            "000100-0sft-000100",
            "1000000-1rl-999900",
            "1000050-1rl-999950"
        ]
    );
}
/// A stop between any two steps of replacing a checkpoint by one of the same name, and of removing
/// an old one: a whole one is found, and the next save leaves nothing else.
#[test]
fn a_stop_while_a_checkpoint_is_moved() {
    const NAME: &str = "000007-0sft-000007";
    let stops: [&dyn Fn(&Path); 6] = [
        // The new one is being written.
        &|folder| fs::create_dir(hidden(folder, NAME, TEMPORARY)).unwrap(),
        // It is whole, and the old one has been moved aside.
        &|folder| {
            let target = folder.join(NAME);
            fs::rename(&target, hidden(folder, NAME, OLD)).unwrap();
            fs::create_dir(hidden(folder, NAME, TEMPORARY)).unwrap();
        },
        // It has taken the place, and the old one is there, or half removed.
        &|folder| fs::create_dir(hidden(folder, NAME, OLD)).unwrap(),
        // An older one is about to be removed, or half removed.
        &|folder| fs::create_dir(hidden(folder, "000003-0sft-000003", REMOVED)).unwrap(),
        // The same, of a save that was done again under another name.
        &|folder| fs::create_dir(hidden(folder, "000006-0sft-000006", TEMPORARY)).unwrap(),
        &|folder| fs::create_dir(hidden(folder, "000006-0sft-000006", REMOVED)).unwrap(),
    ];
    for (at, stop) in stops.into_iter().enumerate() {
        let run = tempfile::tempdir().unwrap();
        write(run.path(), NAME);
        let other = folder(run.path()).join(".mine.tmp");
        fs::create_dir(&other).unwrap();
        stop(&folder(run.path()));
        let found = newest(run.path()).unwrap().unwrap();
        assert_eq!(Checkpoint::read(&found).unwrap().recipe, "r", "{at}");
        let again = write(run.path(), NAME);
        assert_eq!(newest(run.path()).unwrap(), Some(again.clone()), "{at}");
        let mut left = entries(&folder(run.path())).unwrap();
        left.sort();
        assert_eq!(left, [other, again], "{at}");
    }
}

/// Nobody reads a checkpoint of which a part is gone.
#[test]
fn an_old_one_that_is_being_replaced_counts_only_alone() {
    let run = tempfile::tempdir().unwrap();
    let target = write(run.path(), "000007-0sft-000007");
    let old = hidden(&folder(run.path()), "000007-0sft-000007", OLD);
    fs::rename(&target, &old).unwrap();
    assert_eq!(newest(run.path()).unwrap(), Some(old.clone()));
    write(run.path(), "000009-0sft-000009");
    // It is one of the two that are kept.
    assert!(old.is_dir());
    write(run.path(), "000011-0sft-000011");
    assert!(!old.exists());
}
