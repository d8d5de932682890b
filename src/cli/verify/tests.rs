//! The parts of `verify`.
