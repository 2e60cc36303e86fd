//! The thin binary: parse, dispatch, print the error chain.

fn main() {}
