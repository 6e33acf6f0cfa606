//! Whole-system tests.

mod support;
