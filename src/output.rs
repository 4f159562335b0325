//! Where reports go: which format to which file, and files that are whole or not there.

use std::{io, path::PathBuf, time::Duration};

use thiserror::Error;

use crate::{file, report::Format};

pub(crate) mod place;
pub(crate) mod stream;

use place::Place;

/// What a run writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outputs {
    /// The format of the report on stdout.
    pub stdout: Format,
    /// The files, each with its format.
    pub files: Vec<(PathBuf, Format)>,
}

/// Why `--format` and `--output` do not go together.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum PairError {
    /// A file whose ending names no format, and no `--format` that could.
    #[error("cannot tell the format of {}: end it in {endings}, or pass --format", file::shown(.0), endings = Format::endings())]
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
#[error("cannot write {}: {source}", file::shown(path))]
pub(crate) struct WriteError {
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
    pub(crate) fn pair(formats: &[Format], files: &[PathBuf]) -> Result<Self, PairError> {
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

    /// Finds every place, before anything is probed: a report that cannot be written should not cost a run first.
    pub(crate) fn open(self) -> Result<Sinks, WriteError> {
        let open = |(path, format): (PathBuf, Format)| match Place::find(&path) {
            Ok(place) => Ok(Sink { path, format, place }),
            Err(source) => Err(WriteError { path, source }),
        };
        Ok(Sinks {
            stdout: self.stdout,
            files: self.files.into_iter().map(open).collect::<Result<_, _>>()?,
        })
    }
}

/// Where the reports of a run go.
#[derive(Debug)]
pub(crate) struct Sinks {
    /// The format of the report on stdout.
    pub stdout: Format,
    /// The other places.
    pub files: Vec<Sink>,
}

/// One place beside stdout.
#[derive(Debug)]
pub(crate) struct Sink {
    path: PathBuf,
    /// The format of the report there.
    pub format: Format,
    place: Place,
}

impl Sink {
    /// Writes a report. A file is replaced as a whole; a pipe that takes nothing for as long as `patience` is given up.
    pub(crate) fn write(&mut self, content: &str, patience: Duration) -> Result<(), WriteError> {
        self.place
            .write(content.as_bytes(), patience)
            .map_err(|source| WriteError {
                path: self.path.clone(),
                source,
            })
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{Outputs, PairError};
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
}
