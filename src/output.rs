//! Where reports go: which format to which file, and files that are whole or not there.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use thiserror::Error;

use crate::report::Format;

/// What a run writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outputs {
    /// The format of the report on stdout.
    pub stdout: Format,
    /// The files, each with its format.
    pub files: Vec<(PathBuf, Format)>,
}

/// Why `--format` and `--output` do not go together.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PairError {
    /// A file whose ending names no format, and no `--format` that could.
    #[error("cannot tell the format of {}: end it in {endings}, or pass --format", .0.display(), endings = Format::endings())]
    UnknownEnding(PathBuf),
    /// Several formats, but not one for each file.
    #[error("{formats} times --format for {files} times --output: pass one --format for each file, or one for stdout")]
    Unpaired {
        /// How often `--format` was given.
        formats: usize,
        /// How often `--output` was given.
        files: usize,
    },
}

/// A report file that could not be written; what stood there before is still whole.
#[derive(Debug, Error)]
#[error("cannot write {}: {source}", path.display())]
pub struct WriteError {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

impl Outputs {
    /// Brings `--format` and `--output` together.
    ///
    /// The ending of a file picks its format. One `--format` is stdout's, and that of files whose ending says nothing.
    /// Several are paired with the files in their order, whatever these end in.
    pub fn pair(formats: &[Format], files: &[PathBuf]) -> Result<Self, PairError> {
        if formats.len() > 1 {
            if formats.len() != files.len() {
                return Err(PairError::Unpaired {
                    formats: formats.len(),
                    files: files.len(),
                });
            }
            let files = files.iter().cloned().zip(formats.iter().copied()).collect();
            return Ok(Self {
                stdout: Format::Text,
                files,
            });
        }
        let given = formats.first().copied();
        let with_format = |path: &PathBuf| {
            let format = Format::from_ending(path).or(given);
            format
                .map(|format| (path.clone(), format))
                .ok_or_else(|| PairError::UnknownEnding(path.clone()))
        };
        let files = files.iter().map(with_format).collect::<Result<_, _>>()?;
        Ok(Self {
            stdout: given.unwrap_or(Format::Text),
            files,
        })
    }

    /// Checks, before anything is probed, that every file can be written. Nothing is changed by it.
    pub fn check(&self) -> Result<(), WriteError> {
        self.files.iter().try_for_each(|(path, _)| {
            check(path).map_err(|source| WriteError {
                path: path.clone(),
                source,
            })
        })
    }
}

/// Writes a file as a whole: into a new file beside it, which then takes its place. A device or a pipe is written to as
/// it is.
pub fn write(path: &Path, content: &str) -> Result<(), WriteError> {
    let written = match destination(path) {
        Ok(Destination::Stream) => OpenOptions::new()
            .write(true)
            .open(path)
            .and_then(|mut f| f.write_all(content.as_bytes())),
        Ok(Destination::File(target)) => replace(&target, content.as_bytes()),
        Err(error) => Err(error),
    };
    written.map_err(|source| WriteError {
        path: path.to_owned(),
        source,
    })
}

enum Destination {
    /// A file, or the place for one, behind every link.
    File(PathBuf),
    /// Something that takes bytes and cannot be replaced.
    Stream,
}

fn destination(path: &Path) -> io::Result<Destination> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(found) if found.is_file() => Ok(Destination::File(fs::canonicalize(path)?)),
        Ok(_) => Ok(Destination::Stream),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
            Ok(Destination::File(folder(path).canonicalize()?.join(name)))
        }
        Err(error) => Err(error),
    }
}

fn check(path: &Path) -> io::Result<()> {
    let Destination::File(target) = destination(path)? else {
        return OpenOptions::new().write(true).open(path).map(drop);
    };
    if target.exists() {
        OpenOptions::new().append(true).open(&target)?;
    }
    let (_, spare) = create_beside(&target)?;
    fs::remove_file(spare)
}

fn replace(target: &Path, content: &[u8]) -> io::Result<()> {
    let (mut file, spare) = create_beside(target)?;
    let written = file
        .write_all(content)
        .and_then(|()| match fs::metadata(target) {
            Ok(old) => file.set_permissions(old.permissions()),
            Err(_) => Ok(()),
        })
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&spare, target));
    if written.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_file(&spare);
    }
    written
}

/// A new file in the same folder: only there a rename replaces in one step.
fn create_beside(target: &Path) -> io::Result<(File, PathBuf)> {
    let mut name = std::ffi::OsString::from(".");
    name.push(target.file_name().ok_or(io::ErrorKind::InvalidInput)?);
    name.push(format!(".{}.tmp", std::process::id()));
    let spare = folder(target).join(name);
    let file = OpenOptions::new().write(true).create_new(true).open(&spare)?;
    Ok((file, spare))
}

fn folder(path: &Path) -> &Path {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf};

    use super::{Outputs, PairError, write};
    use crate::report::Format::{self, Json, Text};

    fn paths(names: &[&str]) -> Vec<PathBuf> {
        names.iter().map(PathBuf::from).collect()
    }

    #[test]
    fn formats_find_their_files() {
        type Row<'a> = (&'a [Format], &'a [&'a str], Format, &'a [(&'a str, Format)]);
        let table: &[Row] = &[
            (&[], &[], Text, &[]),
            (&[Json], &[], Json, &[]),
            (&[], &["a.json", "b.TXT"], Text, &[("a.json", Json), ("b.TXT", Text)]),
            (&[Json], &["b.txt"], Json, &[("b.txt", Text)]),
            (&[Json], &["report"], Json, &[("report", Json)]),
            (
                &[Json, Text],
                &["a.json", "b.log"],
                Text,
                &[("a.json", Json), ("b.log", Text)],
            ),
        ];
        for (formats, files, stdout, pairs) in table {
            let files = paths(files);
            let pairs = pairs
                .iter()
                .map(|(name, format)| (PathBuf::from(name), *format))
                .collect();
            assert_eq!(
                Outputs::pair(formats, &files),
                Ok(Outputs {
                    stdout: *stdout,
                    files: pairs
                })
            );
        }
        assert_eq!(
            Outputs::pair(&[], &paths(&["report"])),
            Err(PairError::UnknownEnding("report".into()))
        );
        assert_eq!(
            Outputs::pair(&[Json, Text], &paths(&["a.json"])),
            Err(PairError::Unpaired { formats: 2, files: 1 })
        );
    }

    #[test]
    fn a_check_changes_nothing_and_finds_what_cannot_be_written() {
        let folder = tempfile::tempdir().unwrap();
        let old = folder.path().join("old.json");
        fs::write(&old, "old").unwrap();
        let to = |path: PathBuf| Outputs {
            stdout: Text,
            files: vec![(path, Json)],
        };
        assert!(to(old.clone()).check().is_ok());
        assert!(to(folder.path().join("new.json")).check().is_ok());
        assert!(to("/dev/null".into()).check().is_ok());
        assert_eq!(fs::read_to_string(&old).unwrap(), "old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);

        assert!(to(folder.path().to_owned()).check().is_err());
        let error = to(folder.path().join("gone/report.json")).check().unwrap_err();
        assert!(error.to_string().starts_with("cannot write "), "{error}");
    }

    #[test]
    fn a_file_is_replaced_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.json");
        write(&path, "first").unwrap();
        write(&path, "second").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "second");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn links_and_permissions_outlive_a_replacement() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("report.json"), folder.path().join("latest.json"));
        fs::write(&path, "first").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        symlink(&path, &link).unwrap();
        write(&link, "second").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "second");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    }

    #[test]
    fn a_failure_leaves_the_old_file_whole() {
        // A device that is always full stands in for a full disk; a name at the limit leaves no room for the new file.
        let full = PathBuf::from("/dev/full");
        if full.exists() {
            assert!(write(&full, "report").is_err());
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x".repeat(255));
        fs::write(&path, "old").unwrap();
        assert!(write(&path, "new").is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    }
}
