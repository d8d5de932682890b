//! The `hallmark` program.

fn main() {}
