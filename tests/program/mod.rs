//! The program as people start it.
