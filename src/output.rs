//! Where reports go: the format and file of each; files are complete or not there.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::ValueEnum;
use thiserror::Error;

use crate::{file, report::Format, text::nearest};

pub(crate) mod stream;
pub(crate) mod target;

use target::OutputTarget;

/// The outputs of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outputs {
    /// The format of the report on stdout.
    pub stdout: Format,
    /// The files, each with its format.
    pub files: Vec<(PathBuf, Format)>,
}

/// Why `--format` and `--output` contradict each other.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum PairError {
    /// A file whose extension selects no format, without a `--format`.
    #[error(
        "cannot tell the format of {}: use one of the extensions {endings}, or put the format in front, as in \
         ticket:mail.txt{hint}",
        file::shown(.0), endings = Format::endings(), hint = hint(.0)
    )]
    UnknownEnding(PathBuf),
    /// A format without a file.
    #[error("{} gives a format, but no file: pass FORMAT:FILE", file::shown(.0))]
    NoFile(PathBuf),
}

/// The format that a mistyped prefix may mean.
fn hint(path: &Path) -> String {
    let before = path
        .to_str()
        .and_then(|text| text.split_once(':'))
        .map(|(before, _)| before);
    let known: Vec<String> = Format::value_variants().iter().copied().filter_map(name).collect();
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    before
        .and_then(|before| nearest(before, &known))
        .map_or_else(String::new, |format| format!("; did you mean {format}?"))
}

fn name(format: Format) -> Option<String> {
    format.to_possible_value().map(|value| value.get_name().to_owned())
}

/// Splits `FORMAT:FILE`; a path alone has no format.
fn split(path: &Path) -> Result<(PathBuf, Option<Format>), PairError> {
    let parts = path.to_str().and_then(|text| text.split_once(':'));
    let named = parts.and_then(|(before, file)| Some((Format::from_str(before, true).ok()?, file)));
    match named {
        Some((_, "")) => Err(PairError::NoFile(path.to_owned())),
        Some((format, file)) => Ok((PathBuf::from(file), Some(format))),
        None => Ok((path.to_owned(), None)),
    }
}

/// A report file that could not be written; the previous file is unchanged.
#[derive(Debug, Error)]
#[error("cannot write {}: {source}", file::shown(path))]
pub(crate) struct WriteError {
    /// The file.
    pub path: PathBuf,
    /// The reason.
    pub source: io::Error,
}

impl Outputs {
    /// Combines `--format` and `--output`.
    ///
    /// The prefix selects a file's format, else its extension. `--format` is for stdout, and for files without either.
    pub(crate) fn pair(given: Option<Format>, files: &[PathBuf]) -> Result<Self, PairError> {
        let with_format = |path: &PathBuf| {
            let (file, named) = split(path)?;
            let format = named.or_else(|| Format::from_ending(&file)).or(given);
            format
                .map(|format| (file, format))
                .ok_or_else(|| PairError::UnknownEnding(path.clone()))
        };
        let files = files.iter().map(with_format).collect::<Result<_, _>>()?;
        Ok(Self {
            stdout: given.unwrap_or(Format::Text),
            files,
        })
    }

    /// Checks every place before anything is probed: a report that cannot be written should not cost a run first.
    pub(crate) fn open(self) -> Result<Sinks, WriteError> {
        let open = |(path, format): (PathBuf, Format)| match OutputTarget::find(&path) {
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

/// One output other than stdout.
#[derive(Debug)]
pub(crate) struct Sink {
    path: PathBuf,
    /// The format of the report there.
    pub format: Format,
    place: OutputTarget,
}

impl Sink {
    /// Writes a report, with `content`. A file is replaced completely; writing to a pipe stops once it has accepted
    /// nothing for `timeout`.
    pub(crate) fn write(
        &mut self,
        content: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
        timeout: Duration,
    ) -> Result<(), WriteError> {
        self.place.write(content, timeout).map_err(|source| WriteError {
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
    fn output_format_and_file_pairs_are_parsed() {
        type OutputCase<'a> = (Option<Format>, &'a [&'a str], Format, &'a [(&'a str, Format)]);
        let table: &[OutputCase] = &[
            (None, &[], Text, &[]),
            (Some(Json), &[], Json, &[]),
            (None, &["a.json", "b.TXT"], Text, &[("a.json", Json), ("b.TXT", Text)]),
            (Some(Json), &["b.txt"], Json, &[("b.txt", Text)]),
            (Some(Json), &["report"], Json, &[("report", Json)]),
            (
                None,
                &["json:a.txt", "TEXT:b.log", "c:d.json"],
                Text,
                &[("a.txt", Json), ("b.log", Text), ("c:d.json", Json)],
            ),
        ];
        for (formats, files, stdout, pairs) in table {
            let files = paths(files);
            let pairs = pairs
                .iter()
                .map(|(name, format)| (PathBuf::from(name), *format))
                .collect();
            assert_eq!(
                Outputs::pair(*formats, &files),
                Ok(Outputs {
                    stdout: *stdout,
                    files: pairs
                })
            );
        }
        assert_eq!(
            Outputs::pair(None, &paths(&["report"])),
            Err(PairError::UnknownEnding("report".into()))
        );
        assert_eq!(
            Outputs::pair(None, &paths(&["json:"])),
            Err(PairError::NoFile("json:".into()))
        );
        let error = Outputs::pair(None, &paths(&["jsno:report"])).unwrap_err().to_string();
        assert!(error.ends_with("did you mean json?"), "{error}");
    }
}
