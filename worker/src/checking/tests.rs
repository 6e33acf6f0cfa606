//! Checking folders.
