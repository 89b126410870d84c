//! The protocol under errors.
