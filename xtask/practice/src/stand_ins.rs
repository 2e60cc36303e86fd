//! Programs that only Windows and macOS have.
