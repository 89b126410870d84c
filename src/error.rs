//! What can go wrong, in words. Numbers for C are given in `ffi::status`.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;

/// Text of an error: static where nothing about it varies.
pub type Text = Cow<'static, str>;

/// A failure. Each variant carries one sentence that names the cause.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it; ffi::status documents each for C")]
pub enum Error {
    InvalidArgument(Text),
    OutOfMemory(Text),
    Full(Text),
    NotFound(Text),
    AlreadyDeleted(Text),
    NotDeleted(Text),
    Io(Text),
    Corrupt(Text),
    Version(Text),
    Unsupported(Text),
    ReadOnly(Text),
    Exists(Text),
    Cancelled(Text),
    Poisoned(Text),
    Locked(Text),
    Conflict(Text),
}

/// Shorthand for results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for Error {}

impl Error {
    fn text(&self) -> &str {
        match self {
            Self::InvalidArgument(t)
            | Self::OutOfMemory(t)
            | Self::Full(t)
            | Self::NotFound(t)
            | Self::AlreadyDeleted(t)
            | Self::NotDeleted(t)
            | Self::Io(t)
            | Self::Corrupt(t)
            | Self::Version(t)
            | Self::Unsupported(t)
            | Self::ReadOnly(t)
            | Self::Exists(t)
            | Self::Cancelled(t)
            | Self::Poisoned(t)
            | Self::Locked(t)
            | Self::Conflict(t) => t,
        }
    }

    /// The same error with a text put before its own, such as the row it happened in.
    pub(crate) fn context(self, before: impl fmt::Display) -> Self {
        let text = Text::from(format!("{before}: {}", self.text()));
        match self {
            Self::InvalidArgument(_) => Self::InvalidArgument(text),
            Self::OutOfMemory(_) => Self::OutOfMemory(text),
            Self::Full(_) => Self::Full(text),
            Self::NotFound(_) => Self::NotFound(text),
            Self::AlreadyDeleted(_) => Self::AlreadyDeleted(text),
            Self::NotDeleted(_) => Self::NotDeleted(text),
            Self::Io(_) => Self::Io(text),
            Self::Corrupt(_) => Self::Corrupt(text),
            Self::Version(_) => Self::Version(text),
            Self::Unsupported(_) => Self::Unsupported(text),
            Self::ReadOnly(_) => Self::ReadOnly(text),
            Self::Exists(_) => Self::Exists(text),
            Self::Cancelled(_) => Self::Cancelled(text),
            Self::Poisoned(_) => Self::Poisoned(text),
            Self::Locked(_) => Self::Locked(text),
            Self::Conflict(_) => Self::Conflict(text),
        }
    }

    /// The same error; what is wrong with a file begins with its path, or that of its folder.
    pub(crate) fn of_file(self, path: &Path) -> Self {
        let path = path.display().to_string();
        match &self {
            Self::Corrupt(_) | Self::Version(_) => self.context(path),
            Self::Io(text) if !text.contains(&path) => self.context(path),
            _ => self,
        }
    }
}

/// An argument that is not acceptable.
pub(crate) fn invalid(text: impl Into<Text>) -> Error {
    Error::InvalidArgument(text.into())
}

/// A file that contradicts itself.
pub(crate) fn corrupt(text: impl Into<Text>) -> Error {
    Error::Corrupt(text.into())
}

/// Memory that could not be had.
pub(crate) fn out_of_memory(what: &str) -> Error {
    Error::OutOfMemory(format!("no memory for {what}").into())
}

/// A callback of the host's that wants its call to end.
#[cold]
pub(crate) fn cancelled() -> Error {
    Error::Cancelled("a callback ended the call".into())
}
