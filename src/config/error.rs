//! What is wrong with a configuration: the key, its value, and what to do.

use std::path::PathBuf;

use thiserror::Error;

/// Why a configuration is refused.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// It is not TOML, or a value is of another type.
    #[error("{origin}: {message}")]
    Syntax {
        /// The file, or the variable.
        origin: String,
        /// What the parser says, with the place.
        message: String,
    },
    /// A key that does not exist.
    #[error("{origin}: unknown key `{key}`{hint}")]
    UnknownKey {
        /// The file, or the variable.
        origin: String,
        /// Its path.
        key: String,
        /// The nearest known one.
        hint: String,
    },
    /// A value that cannot be used.
    #[error("`{key}` is {value:?}, which {problem}")]
    Value {
        /// The key.
        key: String,
        /// Its value; never a secret.
        value: String,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// A secret that is not where it is said to be.
    #[error("`{key}`: {problem}")]
    Secret {
        /// The key.
        key: String,
        /// What is wrong.
        problem: String,
    },
}

impl ConfigError {
    /// A value that cannot be used.
    pub(super) fn value(key: &str, value: &str, problem: impl Into<String>) -> Self {
        Self::Value { key: key.to_owned(), value: value.to_owned(), problem: problem.into() }
    }
}
