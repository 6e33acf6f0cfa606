//! The parts of the program that its tests start by themselves.

pub mod postgres;
